#include "guard/states.h"

#include <string.h>

#include "guard/gate.h"
#include "libssl/versions.h"

struct rg_libssl *_Atomic rg_states_shared_library;

void rg_states_share(struct rg_libssl *lib)
{
	atomic_store(&rg_states_shared_library, lib);
	rg_gate_set(RG_GATE_SHARED);
}

struct rg_connection *rg_state_of_shared(const struct rg_libssl *lib, const struct ssl_st *ssl)
{
	return ssl != NULL ? lib->SSL_get_ex_data(ssl, lib->state_index) : NULL;
}

static struct rg_connection *make_shared(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	struct rg_connection *connection = rg_libssl_allocate(lib, sizeof *connection);

	if (connection == NULL)
		return NULL;
	memset(connection, 0, sizeof *connection);
	if (lib->SSL_set_ex_data(ssl, lib->state_index, connection) == 1)
		return connection;
	rg_libssl_free(lib, connection);
	return NULL;
}

struct rg_connection *rg_state_make(const struct rg_libssl *lib, struct ssl_st *ssl)
{
	struct rg_connection *connection = rg_states_are_shared(lib)
					       ? make_shared(lib, ssl)
					       : rg_ssl_map_take(ssl, sizeof *connection);

	if (connection != NULL)
		connection->lib = lib;
	return connection;
}

void rg_state_free_shared(struct rg_connection *connection)
{
	rg_libssl_free(connection->lib, connection);
}
