/* What INFO means, told to a program in C. Prints "all explanations are right" at the end. */
#include "lapack_ai.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("line %d: %s\n", __LINE__, #condition);                                                             \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

int main(void) {
    lapack_ai_explanation told;
    REQUIRE(lapack_ai_explain_info("dgesvx", 4, -1, 4, &told) == 0);
    REQUIRE(strcmp(told.code, "LAP-E010") == 0 && strcmp(told.severity, "error") == 0);
    REQUIRE(strcmp(told.info_class, "U_ZERO_PIVOT") == 0 && told.index == 3 && told.possibilities == 0);
    REQUIRE(strcmp(told.summary, "dgesvx: singular: pivot 4, counted from 1, is exactly 0.") == 0);
    REQUIRE(told.argument_position == 0 && told.argument[0] == 0);

    REQUIRE(lapack_ai_explain_info("dgesvx", 5, -1, 4, &told) == 0);
    REQUIRE(strcmp(told.code, "LAP-W001") == 0 && strcmp(told.severity, "warning") == 0 && told.index == -1);
    REQUIRE(lapack_ai_explain_info("dgesvx", 5, -1, -1, &told) == 0);
    REQUIRE(told.possibilities == 2 && told.code[0] == 0);
    REQUIRE(lapack_ai_explain_info("DGEEQU", 4, 3, 5, &told) == 0 && told.index == 0);

    REQUIRE(lapack_ai_explain_info("LAPACKE_dgesv", -5, -1, -1, &told) == 0);
    REQUIRE(strcmp(told.argument, "LDA") == 0 && told.argument_position == 5);
    REQUIRE(lapack_ai_explain_info("opencl", -61, -1, -1, &told) == 0 && strcmp(told.code, "LAP-E033") == 0);

    told.index = 77;
    REQUIRE(lapack_ai_explain_info("dgesvq", 1, -1, -1, &told) == LAPACK_AI_UNKNOWN);
    REQUIRE(lapack_ai_explain_info("LAP-E010", 1, -1, -1, &told) == LAPACK_AI_UNKNOWN);
    REQUIRE(lapack_ai_explain_info(NULL, 1, -1, -1, &told) == LAPACK_AI_UNKNOWN);
    REQUIRE(lapack_ai_explain_info("dgesv", 9, -1, 4, &told) == LAPACK_AI_NOT_RETURNED && told.index == 77);
    REQUIRE(lapack_ai_explain_info("opencl", -20, -1, -1, &told) == LAPACK_AI_NOT_RETURNED);
    REQUIRE(lapack_ai_explain_info("dpotrf", 2, -1, 4, NULL) == 0);

    /* The length comes first, as snprintf gives it; what has no room is cut. */
    int64_t length = lapack_ai_explain_json("LAP-E010", 0, -1, -1, NULL, 0);
    REQUIRE(length > 100);
    char *json = malloc((size_t)length + 1);
    REQUIRE(json != NULL && lapack_ai_explain_json("LAP-E010", 0, -1, -1, json, length + 1) == length);
    REQUIRE((int64_t)strlen(json) == length && json[0] == '{' && strstr(json, "\"code\":\"LAP-E010\"") != NULL);
    free(json);
    char cut[8] = "xxxxxxx";
    REQUIRE(lapack_ai_explain_text("dgesv", 3, -1, -1, cut, 8) > 8 && strcmp(cut, "LAP-E01") == 0);
    REQUIRE(lapack_ai_explain_text("dgesvq", 3, -1, -1, cut, 8) == -1);
    puts("all explanations are right");
    return 0;
}
