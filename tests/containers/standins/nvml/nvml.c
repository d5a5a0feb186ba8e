/* A stand-in for NVIDIA's libnvidia-ml.so.1, for tests on machines without a graphics card.
 *
 * It answers what tapeless asks of NVML, out of a text file named by STANDIN_GPUS, read anew for
 * every question. A line is a card: its UUID, its memory and what is used of it in MiB, its name.
 * A card is as busy as its memory is full.
 * Without the variable it fails as a machine does whose driver is not loaded. Nothing is computed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_FOUND = 6, DRIVER_NOT_LOADED = 9, MOST_CARDS = 16 };

typedef struct {
    char uuid[96], name[96];
    unsigned long long total_mb, used_mb;
} Card;
typedef struct {
    uint64_t total, free, used;
} Memory;
typedef struct {
    unsigned gpu, memory;
} Utilization;

static int read_cards(Card *cards) {
    const char *path = getenv("STANDIN_GPUS");
    FILE *file = path ? fopen(path, "r") : NULL;
    int count = 0;
    if (!file) return -1;
    for (Card *card = cards; count < MOST_CARDS; card++, count++)
        if (fscanf(file, "%95s %llu %llu %95[^\n]", card->uuid, &card->total_mb, &card->used_mb,
                   card->name) != 4)
            break;
    fclose(file);
    return count;
}

/* A handle is the number of the card, counted from 1. */
static int find_card(const void *handle, Card *card) {
    Card cards[MOST_CARDS];
    int count = read_cards(cards);
    if (count < 0) return DRIVER_NOT_LOADED;
    if ((intptr_t)handle < 1 || (intptr_t)handle > count) return INVALID_ARGUMENT;
    *card = cards[(intptr_t)handle - 1];
    return SUCCESS;
}

static int copy(char *target, const char *text, unsigned size) {
    snprintf(target, size, "%s", text);
    return SUCCESS;
}

int nvmlInitWithFlags(unsigned flags) {
    Card cards[MOST_CARDS];
    (void)flags;
    return read_cards(cards) < 0 ? DRIVER_NOT_LOADED : SUCCESS;
}

int nvmlShutdown(void) { return SUCCESS; }

int nvmlSystemGetDriverVersion(char *version, unsigned size) {
    return copy(version, "0.0-standin", size);
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    Card cards[MOST_CARDS];
    *count = (unsigned)read_cards(cards);
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    Card card;
    *handle = (void *)(intptr_t)(index + 1);
    return find_card(*handle, &card);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    Card cards[MOST_CARDS];
    int count = read_cards(cards);
    for (int i = 0; i < count; i++)
        if (!strcmp(cards[i].uuid, uuid)) {
            *handle = (void *)(intptr_t)(i + 1);
            return SUCCESS;
        }
    return NOT_FOUND;
}

int nvmlDeviceGetUUID(const void *handle, char *uuid, unsigned size) {
    Card card;
    int status = find_card(handle, &card);
    return status ? status : copy(uuid, card.uuid, size);
}

int nvmlDeviceGetName(const void *handle, char *name, unsigned size) {
    Card card;
    int status = find_card(handle, &card);
    return status ? status : copy(name, card.name, size);
}

int nvmlDeviceGetIndex(const void *handle, unsigned *index) {
    Card card;
    *index = (unsigned)((intptr_t)handle - 1);
    return find_card(handle, &card);
}

int nvmlDeviceGetUtilizationRates(const void *handle, Utilization *rates) {
    Card card;
    int status = find_card(handle, &card);
    if (status) return status;
    rates->gpu = rates->memory = (unsigned)(100 * card.used_mb / card.total_mb);
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(const void *handle, Memory *memory) {
    Card card;
    int status = find_card(handle, &card);
    if (status) return status;
    memory->total = (uint64_t)card.total_mb << 20;
    memory->used = (uint64_t)card.used_mb << 20;
    memory->free = memory->total - memory->used;
    return SUCCESS;
}
