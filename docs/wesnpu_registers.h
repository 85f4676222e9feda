/* made by python -m compiler.document_registers from compiler/registers.py: change it there */
#ifndef WESNPU_REGISTERS_H
#define WESNPU_REGISTERS_H

/* Reads 0x4e534557, the bytes "WESN". (read only) */
#define WESNPU_MAGIC 0x000u

/* Version of this register file. (read only) */
#define WESNPU_VERSION 0x004u
#define WESNPU_VERSION_MINOR_SHIFT 0u
#define WESNPU_VERSION_MINOR_MASK 0x0000ffffu
#define WESNPU_VERSION_MAJOR_SHIFT 16u
#define WESNPU_VERSION_MAJOR_MASK 0xffff0000u

/* Shape of the array. (read only) */
#define WESNPU_ARRAY 0x008u
#define WESNPU_ARRAY_PIXELS_SHIFT 0u
#define WESNPU_ARRAY_PIXELS_MASK 0x000000ffu
#define WESNPU_ARRAY_LANES_SHIFT 8u
#define WESNPU_ARRAY_LANES_MASK 0x0000ff00u
#define WESNPU_ARRAY_TAPS_SHIFT 16u
#define WESNPU_ARRAY_TAPS_MASK 0x00ff0000u
#define WESNPU_ARRAY_REQUANT_LANES_SHIFT 24u
#define WESNPU_ARRAY_REQUANT_LANES_MASK 0xff000000u

/* Other widths. (read only) */
#define WESNPU_UNITS 0x00cu
#define WESNPU_UNITS_WINDOW_KERNEL_SHIFT 0u
#define WESNPU_UNITS_WINDOW_KERNEL_MASK 0x000000ffu
#define WESNPU_UNITS_BUS_BYTES_SHIFT 8u
#define WESNPU_UNITS_BUS_BYTES_MASK 0x0000ff00u
#define WESNPU_UNITS_GUARD_BITS_SHIFT 16u
#define WESNPU_UNITS_GUARD_BITS_MASK 0x00ff0000u

/* Activation memory. (read only) */
#define WESNPU_SCRATCHPAD_WORDS 0x010u

/* Weight memory. (read only) */
#define WESNPU_WEIGHT_ROWS 0x014u

/* Parameter memory. (read only) */
#define WESNPU_PARAMETER_ROWS 0x018u

/* Command queues. (read only) */
#define WESNPU_QUEUE_UNITS 0x01cu

/* Starts and stops programs. (write 1 to act, reads 0) */
#define WESNPU_CONTROL 0x020u
#define WESNPU_CONTROL_START_SHIFT 0u
#define WESNPU_CONTROL_START_MASK 0x00000001u
#define WESNPU_CONTROL_SOFT_RESET_SHIFT 1u
#define WESNPU_CONTROL_SOFT_RESET_MASK 0x00000002u

/* The program under way, or the last one. (read only) */
#define WESNPU_STATUS 0x024u
#define WESNPU_STATUS_BUSY_SHIFT 0u
#define WESNPU_STATUS_BUSY_MASK 0x00000001u
#define WESNPU_STATUS_DONE_SHIFT 1u
#define WESNPU_STATUS_DONE_MASK 0x00000002u
#define WESNPU_STATUS_ERROR_SHIFT 8u
#define WESNPU_STATUS_ERROR_MASK 0x00000f00u
#define WESNPU_STATUS_ERROR_COMMAND_SHIFT 16u
#define WESNPU_STATUS_ERROR_COMMAND_MASK 0xffff0000u

/* The `irq` pin is high while an enabled bit of INTERRUPT_STATUS is set. (read, write) */
#define WESNPU_INTERRUPT_ENABLE 0x028u
#define WESNPU_INTERRUPT_ENABLE_DONE_SHIFT 0u
#define WESNPU_INTERRUPT_ENABLE_DONE_MASK 0x00000001u
#define WESNPU_INTERRUPT_ENABLE_ERROR_SHIFT 1u
#define WESNPU_INTERRUPT_ENABLE_ERROR_MASK 0x00000002u

/* What happened; stays until cleared. (read, write 1 to clear) */
#define WESNPU_INTERRUPT_STATUS 0x02cu
#define WESNPU_INTERRUPT_STATUS_DONE_SHIFT 0u
#define WESNPU_INTERRUPT_STATUS_DONE_MASK 0x00000001u
#define WESNPU_INTERRUPT_STATUS_ERROR_SHIFT 1u
#define WESNPU_INTERRUPT_STATUS_ERROR_MASK 0x00000002u

/* Byte offset of the first command in the image region. (read, write) */
#define WESNPU_PROGRAM_OFFSET 0x030u
#define WESNPU_PROGRAM_OFFSET_VALUE_SHIFT 4u
#define WESNPU_PROGRAM_OFFSET_VALUE_MASK 0xfffffff0u

/* Byte address of the image region (program, weights, parameters), only read. (read, write) */
#define WESNPU_IMAGE_BASE 0x034u
#define WESNPU_IMAGE_BASE_VALUE_SHIFT 6u
#define WESNPU_IMAGE_BASE_VALUE_MASK 0xffffffc0u

/* Bytes of the image region. (read, write) */
#define WESNPU_IMAGE_SIZE 0x038u
#define WESNPU_IMAGE_SIZE_VALUE_SHIFT 6u
#define WESNPU_IMAGE_SIZE_VALUE_MASK 0xffffffc0u

/* Byte address of the data region (activations), read and written. (read, write) */
#define WESNPU_DATA_BASE 0x03cu
#define WESNPU_DATA_BASE_VALUE_SHIFT 6u
#define WESNPU_DATA_BASE_VALUE_MASK 0xffffffc0u

/* Bytes of the data region. (read, write) */
#define WESNPU_DATA_SIZE 0x040u
#define WESNPU_DATA_SIZE_VALUE_SHIFT 6u
#define WESNPU_DATA_SIZE_VALUE_MASK 0xffffffc0u

/* Longest wait for the bus without any progress on it, in cycles; 0 waits for ever. (read, write) */
#define WESNPU_TIMEOUT 0x044u

/* What small engines leave out, and how the array reads: programs are made for one engine's LIMITS. (read only) */
#define WESNPU_LIMITS 0x048u
#define WESNPU_LIMITS_SIZE_BITS_SHIFT 0u
#define WESNPU_LIMITS_SIZE_BITS_MASK 0x000000ffu
#define WESNPU_LIMITS_ADDRESS_BITS_SHIFT 8u
#define WESNPU_LIMITS_ADDRESS_BITS_MASK 0x0000ff00u
#define WESNPU_LIMITS_COUNTERS_SHIFT 16u
#define WESNPU_LIMITS_COUNTERS_MASK 0x00010000u
#define WESNPU_LIMITS_WITHOUT_TIMEOUT_SHIFT 17u
#define WESNPU_LIMITS_WITHOUT_TIMEOUT_MASK 0x00020000u
#define WESNPU_LIMITS_DOUBLE_FEEDS_SHIFT 18u
#define WESNPU_LIMITS_DOUBLE_FEEDS_MASK 0x00040000u
#define WESNPU_LIMITS_FOUR_BANKS_SHIFT 19u
#define WESNPU_LIMITS_FOUR_BANKS_MASK 0x00080000u

/* Cycles since start; the sum of the eight causes. (read only) */
#define WESNPU_COUNT_CYCLES 0x080u

/* 16-byte beats read. (read only) */
#define WESNPU_COUNT_READ_BEATS 0x084u

/* 16-byte beats written. (read only) */
#define WESNPU_COUNT_WRITE_BEATS 0x088u

/* Cycles whose one cause was: the array was given operands that count. (read only) */
#define WESNPU_COUNT_ACTIVE 0x08cu

/* Cycles whose one cause was: the window unit was filled at the start of a row. (read only) */
#define WESNPU_COUNT_FILL 0x090u

/* Cycles whose one cause was: no COMPUTE command was there. (read only) */
#define WESNPU_COUNT_PROGRAM 0x094u

/* Cycles whose one cause was: no room for a result, or waiting for own earlier results. (read only) */
#define WESNPU_COUNT_REQUANTIZER 0x098u

/* Cycles whose one cause was: waiting for STORE commands. (read only) */
#define WESNPU_COUNT_STORE 0x09cu

/* Cycles whose one cause was: waiting for weights or activations while no read data came. (read only) */
#define WESNPU_COUNT_BUS 0x0a0u

/* Cycles whose one cause was: waiting for WEIGHTS commands. (read only) */
#define WESNPU_COUNT_WEIGHTS 0x0a4u

/* Cycles whose one cause was: waiting for LOAD commands. (read only) */
#define WESNPU_COUNT_ACTIVATIONS 0x0a8u

#endif
