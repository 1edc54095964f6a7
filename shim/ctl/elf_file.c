#include "ctl/elf_file.h"

#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined __x86_64__
#define OUR_MACHINE EM_X86_64
#elif defined __i386__
#define OUR_MACHINE EM_386
#elif defined __aarch64__
#define OUR_MACHINE EM_AARCH64
#else
#define OUR_MACHINE EM_NONE /* architectures are not told apart */
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OUR_BYTE_ORDER ELFDATA2LSB
#else
#define OUR_BYTE_ORDER ELFDATA2MSB
#endif

struct image {
	const unsigned char *bytes;
	size_t size;
	bool wide; /* 64-bit */
	Elf64_Ehdr header;
};

/* Copy COUNT bytes at OFFSET of the file. Returns false if they are not all inside it. */
static bool copy(const struct image *image, uint64_t offset, void *to, size_t count)
{
	if (offset > image->size || count > image->size - offset)
		return false;
	memcpy(to, image->bytes + offset, count);
	return true;
}

/*
 * A READER reads element INDEX of a table in the file as a structure of the 64-bit format. It
 * converts the fields it is given from the 32-bit format, in which they have the same names.
 */
#define TAKE(field) to->field = narrow.field
#define READER(name, type, fields)                                                                 \
	static bool name(const struct image *image, uint64_t table, uint64_t index,                \
			 Elf64_##type *to)                                                         \
	{                                                                                          \
		Elf32_##type narrow;                                                               \
                                                                                                   \
		if (image->wide)                                                                   \
			return copy(image, table + index * sizeof *to, to, sizeof *to);            \
		if (!copy(image, table + index * sizeof narrow, &narrow, sizeof narrow))           \
			return false;                                                              \
		fields;                                                                            \
		return true;                                                                       \
	}

READER(header_at, Ehdr,
       (TAKE(e_machine), TAKE(e_phoff), TAKE(e_shoff), TAKE(e_phnum), TAKE(e_shnum)))
READER(segment_at, Phdr, (TAKE(p_type), TAKE(p_offset), TAKE(p_filesz)))
READER(section_at, Shdr, (TAKE(sh_type), TAKE(sh_offset), TAKE(sh_size), TAKE(sh_link)))
READER(symbol_at, Sym, (TAKE(st_name), TAKE(st_shndx)))

static void read_loader(const struct image *image, struct rg_elf_facts *facts)
{
	Elf64_Phdr segment;

	for (unsigned i = 0; i < image->header.e_phnum; i++)
		if (segment_at(image, image->header.e_phoff, i, &segment) &&
		    segment.p_type == PT_INTERP && segment.p_filesz < sizeof facts->loader)
			facts->dynamic =
			    copy(image, segment.p_offset, facts->loader, (size_t)segment.p_filesz);
}

/* Does SYMBOLS, a table of dynamic symbols whose names are in NAMES, define SSL_new? */
static bool defines_libssl(const struct image *image, const Elf64_Shdr *symbols,
			   const Elf64_Shdr *names)
{
	uint64_t count = symbols->sh_size / (image->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym));
	char name[sizeof "SSL_new"];
	Elf64_Sym symbol;

	for (uint64_t i = 0; i < count && symbol_at(image, symbols->sh_offset, i, &symbol); i++)
		if (symbol.st_shndx != SHN_UNDEF &&
		    copy(image, names->sh_offset + symbol.st_name, name, sizeof name) &&
		    memcmp(name, "SSL_new", sizeof name) == 0)
			return true;
	return false;
}

static void read_symbols(const struct image *image, struct rg_elf_facts *facts)
{
	uint64_t table = image->header.e_shoff;
	Elf64_Shdr section, names;

	for (unsigned i = 0; i < image->header.e_shnum; i++)
		if (section_at(image, table, i, &section) && section.sh_type == SHT_DYNSYM &&
		    section_at(image, table, section.sh_link, &names))
			facts->exports_libssl |= defines_libssl(image, &section, &names);
}

static void read_image(struct image *image, struct rg_elf_facts *facts)
{
	facts->elf = image->size > EI_NIDENT && memcmp(image->bytes, ELFMAG, SELFMAG) == 0;
	if (!facts->elf)
		return;
	image->wide = image->bytes[EI_CLASS] == ELFCLASS64;
	facts->foreign = true;
	if (image->bytes[EI_DATA] != OUR_BYTE_ORDER || !header_at(image, 0, 0, &image->header))
		return;
	facts->foreign = image->wide != (sizeof(void *) == 8) ||
			 (OUR_MACHINE != EM_NONE && image->header.e_machine != OUR_MACHINE);
	read_loader(image, facts);
	read_symbols(image, facts);
	facts->go = memmem(image->bytes, image->size, "\xff Go buildinf:", 14) != NULL;
	facts->names_libssl = memmem(image->bytes, image->size, "\0SSL_CTX_new", 13) != NULL;
	facts->opens = memmem(image->bytes, image->size, "\0dlopen", 8) != NULL;
	facts->opens_libssl =
	    facts->opens && memmem(image->bytes, image->size, "libssl", 6) != NULL;
}

/* Returns -1 if the file cannot be opened. An image without bytes: it is empty or not mappable. */
static int map_image(const char *path, struct image *image)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	void *bytes = MAP_FAILED;

	memset(image, 0, sizeof *image);
	if (fd < 0)
		return -1;
	if (fstat(fd, &status) == 0 && status.st_size > 0)
		bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return 0;
	image->bytes = bytes;
	image->size = (size_t)status.st_size;
	return 0;
}

int rg_elf_read(const char *path, struct rg_elf_facts *facts)
{
	struct image image;

	memset(facts, 0, sizeof *facts);
	if (map_image(path, &image) != 0)
		return -1;
	if (image.bytes != NULL) {
		read_image(&image, facts);
		munmap((void *)image.bytes, image.size);
	}
	return 0;
}

int rg_elf_has(const char *path, const char *const names[], bool has[], size_t count)
{
	char between_zeros[RG_ELF_NAME_BYTES + 2];
	struct image image;

	if (map_image(path, &image) != 0 || image.bytes == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		int length = snprintf(between_zeros, sizeof between_zeros, "%c%s", '\0', names[i]);

		has[i] = memmem(image.bytes, image.size, between_zeros, (size_t)length + 1) != NULL;
	}
	munmap((void *)image.bytes, image.size);
	return 0;
}
