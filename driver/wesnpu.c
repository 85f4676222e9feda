/* See wesnpu.h. */
#include "wesnpu.h"

#include "wesnpu_registers.h"

#define MAGIC 0x4e534557u /* "WESN" */
#define VERSION_MAJOR 1u
#define ALIGNMENT 64u
#define INTERRUPTS (WESNPU_INTERRUPT_ENABLE_DONE_MASK | WESNPU_INTERRUPT_ENABLE_ERROR_MASK)

static uint32_t read_register(const struct wesnpu *engine, uint32_t offset)
{
    return engine->bus->read(engine->bus->context, offset);
}

static void write_register(const struct wesnpu *engine, uint32_t offset, uint32_t value)
{
    engine->bus->write(engine->bus->context, offset, value);
}

static int is_busy(const struct wesnpu *engine)
{
    return (read_register(engine, WESNPU_STATUS) & WESNPU_STATUS_BUSY_MASK) != 0;
}

static void idle(const struct wesnpu *engine)
{
    if (engine->bus->idle)
        engine->bus->idle(engine->bus->context);
}

static int fits(uint32_t base, uint32_t size)
{
    return base % ALIGNMENT == 0 && (base == 0 || size <= 0u - base);
}

int wesnpu_open(struct wesnpu *engine, const struct wesnpu_bus *bus)
{
    uint32_t version;

    engine->bus = bus;
    engine->started = 0;
    engine->ended = 0;
    if (read_register(engine, WESNPU_MAGIC) != MAGIC)
        return WESNPU_NO_ENGINE;
    version = read_register(engine, WESNPU_VERSION);
    if ((version & WESNPU_VERSION_MAJOR_MASK) >> WESNPU_VERSION_MAJOR_SHIFT != VERSION_MAJOR)
        return WESNPU_WRONG_VERSION;
    write_register(engine, WESNPU_INTERRUPT_ENABLE, 0);
    write_register(engine, WESNPU_INTERRUPT_STATUS, INTERRUPTS);
    return WESNPU_OK;
}

int wesnpu_load(struct wesnpu *engine, const struct wesnpu_program *program, uint32_t image, uint32_t data)
{
    static const uint32_t shape[7] = {WESNPU_ARRAY,       WESNPU_UNITS,          WESNPU_SCRATCHPAD_WORDS,
                                      WESNPU_WEIGHT_ROWS, WESNPU_PARAMETER_ROWS, WESNPU_QUEUE_UNITS,
                                      WESNPU_LIMITS};
    uint32_t i;

    for (i = 0; i < 7; i++)
        if (read_register(engine, shape[i]) != program->engine[i])
            return WESNPU_WRONG_ENGINE;
    if (!fits(image, program->image_size) || !fits(data, program->data_size))
        return WESNPU_BAD_ADDRESS;
    if (is_busy(engine))
        return WESNPU_BUSY;
    write_register(engine, WESNPU_IMAGE_BASE, image);
    write_register(engine, WESNPU_IMAGE_SIZE, program->image_size);
    write_register(engine, WESNPU_DATA_BASE, data);
    write_register(engine, WESNPU_DATA_SIZE, program->data_size);
    write_register(engine, WESNPU_PROGRAM_OFFSET, program->program_offset);
    return WESNPU_OK;
}

int wesnpu_set_timeout(struct wesnpu *engine, uint32_t cycles)
{
    if (is_busy(engine))
        return WESNPU_BUSY;
    write_register(engine, WESNPU_TIMEOUT, cycles);
    return WESNPU_OK;
}

int wesnpu_start(struct wesnpu *engine, int interrupt)
{
    if (is_busy(engine))
        return WESNPU_BUSY;
    write_register(engine, WESNPU_INTERRUPT_STATUS, INTERRUPTS);
    engine->ended = 0;
    write_register(engine, WESNPU_INTERRUPT_ENABLE, interrupt ? INTERRUPTS : 0);
    write_register(engine, WESNPU_CONTROL, WESNPU_CONTROL_START_MASK);
    engine->started = 1;
    return WESNPU_OK;
}

int wesnpu_status(struct wesnpu *engine, uint32_t *command)
{
    uint32_t status = read_register(engine, WESNPU_STATUS);

    if (command)
        *command = (status & WESNPU_STATUS_ERROR_COMMAND_MASK) >> WESNPU_STATUS_ERROR_COMMAND_SHIFT;
    /* BUSY falls some cycles before DONE rises; the error is final with DONE. */
    if (!(status & WESNPU_STATUS_BUSY_MASK) && (status & WESNPU_STATUS_DONE_MASK))
        return (int)((status & WESNPU_STATUS_ERROR_MASK) >> WESNPU_STATUS_ERROR_SHIFT);
    return engine->started || (status & WESNPU_STATUS_BUSY_MASK) ? WESNPU_BUSY : WESNPU_NOT_STARTED;
}

int wesnpu_wait(struct wesnpu *engine, uint32_t looks, uint32_t *command)
{
    int result = WESNPU_BUSY;

    while (looks-- && (result = wesnpu_status(engine, command)) == WESNPU_BUSY)
        idle(engine);
    return result;
}

int wesnpu_on_interrupt(struct wesnpu *engine)
{
    uint32_t raised = read_register(engine, WESNPU_INTERRUPT_STATUS) & INTERRUPTS;

    if (!raised)
        return 0;
    write_register(engine, WESNPU_INTERRUPT_STATUS, raised);
    engine->ended = 1;
    return 1;
}

int wesnpu_wait_interrupt(struct wesnpu *engine, uint32_t idles, uint32_t *command)
{
    while (!engine->ended && idles--)
        idle(engine);
    return engine->ended ? wesnpu_status(engine, command) : WESNPU_BUSY;
}

int wesnpu_soft_reset(struct wesnpu *engine, uint32_t looks)
{
    write_register(engine, WESNPU_CONTROL, WESNPU_CONTROL_SOFT_RESET_MASK);
    return wesnpu_wait(engine, looks, 0) == WESNPU_BUSY ? WESNPU_BUSY : WESNPU_OK;
}

void wesnpu_read_counters(struct wesnpu *engine, struct wesnpu_counters *counters)
{
    counters->cycles = read_register(engine, WESNPU_COUNT_CYCLES);
    counters->read_beats = read_register(engine, WESNPU_COUNT_READ_BEATS);
    counters->write_beats = read_register(engine, WESNPU_COUNT_WRITE_BEATS);
    counters->active = read_register(engine, WESNPU_COUNT_ACTIVE);
    counters->fill = read_register(engine, WESNPU_COUNT_FILL);
    counters->program = read_register(engine, WESNPU_COUNT_PROGRAM);
    counters->requantizer = read_register(engine, WESNPU_COUNT_REQUANTIZER);
    counters->store = read_register(engine, WESNPU_COUNT_STORE);
    counters->bus = read_register(engine, WESNPU_COUNT_BUS);
    counters->weights = read_register(engine, WESNPU_COUNT_WEIGHTS);
    counters->activations = read_register(engine, WESNPU_COUNT_ACTIVATIONS);
}

static uint32_t read_mapped(void *context, uint32_t offset)
{
    return ((volatile uint32_t *)context)[offset / 4u];
}

static void write_mapped(void *context, uint32_t offset, uint32_t value)
{
    ((volatile uint32_t *)context)[offset / 4u] = value;
}

struct wesnpu_bus wesnpu_memory_mapped(volatile void *registers, void (*idle_function)(void *context))
{
    struct wesnpu_bus bus;

    bus.read = read_mapped;
    bus.write = write_mapped;
    bus.idle = idle_function;
    bus.context = (void *)(uintptr_t)registers;
    return bus;
}
