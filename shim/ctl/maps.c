#include "ctl/maps.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_BEFORE_NAME 7

bool rg_maps_open(struct rg_maps *maps, pid_t pid)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%ld/maps", (long)pid);
	*maps = (struct rg_maps){.file = fopen(path, "re")};
	return maps->file != NULL;
}

static bool parse_line(char *line, struct rg_mapping *mapping)
{
	int name = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &mapping->begin, &mapping->end,
		   mapping->rights, &mapping->offset, &mapping->major, &mapping->minor,
		   &mapping->inode, &name) < FIELDS_BEFORE_NAME)
		return false;
	mapping->name = line + name;
	return true;
}

bool rg_maps_next(struct rg_maps *maps, struct rg_mapping *mapping)
{
	while (getline(&maps->line, &maps->line_bytes, maps->file) > 0)
		if (parse_line(maps->line, mapping))
			return true;
	return false;
}

void rg_maps_rewind(struct rg_maps *maps)
{
	rewind(maps->file);
}

void rg_maps_close(struct rg_maps *maps)
{
	fclose(maps->file);
	free(maps->line);
	*maps = (struct rg_maps){0};
}

bool rg_mapping_is_shim(const struct rg_mapping *mapping)
{
	return mapping->name[0] == '/' && strstr(mapping->name, "/libreneguard.so") != NULL;
}
