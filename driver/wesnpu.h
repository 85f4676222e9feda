/* Bare-metal driver of the wesnpu engine: C99, no library, no memory of its own, one caller at a time.
 *
 * Registers: docs/wesnpu_registers.h. What a program is and where it lies: docs/integration.md. `wesnpu compile`
 * writes a program as binary file and as `struct wesnpu_program`.
 *
 * The order of calls: wesnpu_open, wesnpu_load, then per image wesnpu_write_input, wesnpu_start, wesnpu_wait (or
 * wesnpu_on_interrupt and wesnpu_wait_interrupt), wesnpu_read_output.
 */
#ifndef WESNPU_H
#define WESNPU_H

#include <stdint.h>

/* What a call returns. 1..8 are the engine's own errors, the codes of STATUS.error; negative ones are the driver's. */
enum wesnpu_result {
    WESNPU_OK = 0,
    WESNPU_ERROR_UNIT = 1,       /* a command names an unknown unit */
    WESNPU_ERROR_FIELD = 2,      /* a command field is outside its range */
    WESNPU_ERROR_SCRATCHPAD = 3, /* a scratchpad address lies beyond the memory */
    WESNPU_ERROR_REGION = 4,     /* an external address lies outside its region */
    WESNPU_ERROR_READ_BUS = 5,   /* a read was answered with an error */
    WESNPU_ERROR_WRITE_BUS = 6,  /* a write was answered with an error */
    WESNPU_ERROR_TIMEOUT = 7,    /* the memory stopped answering: reset engine and bus by aresetn */
    WESNPU_ERROR_ABORTED = 8,    /* soft reset while busy */
    WESNPU_BUSY = -1,            /* a program runs (after a wait: it still does) */
    WESNPU_NO_ENGINE = -2,       /* the MAGIC register does not read "WESN" */
    WESNPU_WRONG_VERSION = -3,   /* the register file has another major version */
    WESNPU_WRONG_ENGINE = -4,    /* the program was compiled for an engine of another configuration */
    WESNPU_BAD_ADDRESS = -5,     /* a region is not aligned to 64 bytes or reaches beyond 32 bits */
    WESNPU_NOT_STARTED = -6      /* no program has been started since wesnpu_open */
};

/* Access to the registers. `offset`: bytes from the first register. `idle` may be 0; it is called between two looks at
 * the engine and may sleep until the next interrupt. `context` is handed to all three. */
struct wesnpu_bus {
    uint32_t (*read)(void *context, uint32_t offset);
    void (*write)(void *context, uint32_t offset, uint32_t value);
    void (*idle)(void *context);
    void *context;
};

/* A tensor in the data region, int8: [ceil(channels / 16)][height][width][16], or with `packed` (a network input of at
 * most 4 channels) [height][width rounded up to 4][4]. */
struct wesnpu_tensor {
    uint32_t offset; /* bytes from the start of the data region, a multiple of 64 */
    uint32_t channels, height, width;
    uint32_t packed;
    int32_t zero_point;
};

/* A compiled network. `engine`: the registers ARRAY, UNITS, SCRATCHPAD_WORDS, WEIGHT_ROWS, PARAMETER_ROWS,
 * QUEUE_UNITS and LIMITS of the engine that it was compiled for. */
struct wesnpu_program {
    uint32_t engine[7];
    uint32_t image_size;     /* bytes of program, weights and parameters, a multiple of 64 */
    uint32_t program_offset; /* of the first command in the image */
    uint32_t data_size;      /* bytes of all tensors, a multiple of 64 */
    struct wesnpu_tensor input;
    uint32_t output_count;
    const struct wesnpu_tensor *outputs;
};

/* Counters of the last program: cycles, the same by their one cause, and beats of 16 bytes. */
struct wesnpu_counters {
    uint32_t cycles, read_beats, write_beats;
    uint32_t active, fill, program, requantizer, store, bus, weights, activations;
};

/* One engine; the members are the driver's own. */
struct wesnpu {
    const struct wesnpu_bus *bus;
    uint32_t started;
    volatile uint32_t ended;
};

/* Find the engine behind `bus`, with interrupts disabled and cleared. OK, NO_ENGINE or WRONG_VERSION. */
int wesnpu_open(struct wesnpu *engine, const struct wesnpu_bus *bus);

/* Point the engine to `program`, whose image lies at bus address `image` and whose data region begins at bus address
 * `data`, both multiples of 64. OK, BUSY, WRONG_ENGINE or BAD_ADDRESS; nothing is changed but for OK. */
int wesnpu_load(struct wesnpu *engine, const struct wesnpu_program *program, uint32_t image, uint32_t data);

/* End programs with ERROR_TIMEOUT after so many cycles without any progress on the bus; 0 waits for ever. OK or BUSY. */
int wesnpu_set_timeout(struct wesnpu *engine, uint32_t cycles);

/* Start the loaded program; with `interrupt` its end raises `irq`. The image and the input must be visible to the bus
 * before (write back data caches). OK or BUSY. */
int wesnpu_start(struct wesnpu *engine, int interrupt);

/* How the last program ended: OK, an engine error, BUSY or NOT_STARTED. `command`, if not 0, gets the number of the
 * command that failed (0 = the first; 0 too where none did, and for TIMEOUT and ABORTED). */
int wesnpu_status(struct wesnpu *engine, uint32_t *command);

/* Look at the engine at most `looks` times, with bus->idle in between, until it is done. As wesnpu_status. */
int wesnpu_wait(struct wesnpu *engine, uint32_t looks, uint32_t *command);

/* To be called by the interrupt handler: clears the interrupt and remembers it. 1 if it was this engine's, else 0. */
int wesnpu_on_interrupt(struct wesnpu *engine);

/* Wait for wesnpu_on_interrupt without any access to the engine: bus->idle at most `idles` times. As wesnpu_status. */
int wesnpu_wait_interrupt(struct wesnpu *engine, uint32_t idles, uint32_t *command);

/* End a program that runs and wait, as wesnpu_wait, until the bus has answered what it owes. OK when the engine is
 * free again (at once when nothing ran), BUSY when it is not after `looks` looks. */
int wesnpu_soft_reset(struct wesnpu *engine, uint32_t looks);

/* The counters of the last program. */
void wesnpu_read_counters(struct wesnpu *engine, struct wesnpu_counters *counters);

/* Put a network input, int8 [channels][height][width], where it belongs in the data region at `data`. */
void wesnpu_write_input(const struct wesnpu_tensor *input, const int8_t *values, void *data);

/* Get a tensor, int8 [channels][height][width], from the data region at `data` (invalidate data caches before). */
void wesnpu_read_output(const struct wesnpu_tensor *output, const void *data, int8_t *values);

/* A bus of plain memory-mapped registers. `registers`: address of the first one, as the processor sees it. */
struct wesnpu_bus wesnpu_memory_mapped(volatile void *registers, void (*idle)(void *context));

#endif
