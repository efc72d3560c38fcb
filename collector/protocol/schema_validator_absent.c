/* What stands in for schema_validator.cpp in a build without the library: it says so when somebody brings a schema. */
#include "schema_validator.h"

#include <stdio.h>

struct evs_schema_validator *evs_schema_validator_new(struct evs_schema_text schema, char *mistake)
{
    (void)schema;
    snprintf(
        mistake, EVS_SCHEMA_MISTAKE_BYTES,
        "this program was built without JSON Schema; install libvalijson-dev and nlohmann-json3-dev and build it anew");
    return NULL;
}

void evs_schema_validator_free(struct evs_schema_validator *validator)
{
    (void)validator;
}

bool evs_schema_validator_check(const struct evs_schema_validator *validator, struct evs_schema_text document,
                                evs_schema_report *report, void *context)
{
    (void)validator, (void)document, (void)report, (void)context;
    return true;
}
