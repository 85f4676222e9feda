/* Tensors of the data region from and to plain [channels][height][width]; see wesnpu.h. */
#include "wesnpu.h"

#define BLOCK 16u  /* channels of one word */
#define PACKED 4u  /* bytes of one pixel of a packed input */

/* Byte of a value in the data region. */
static uint32_t place(const struct wesnpu_tensor *tensor, uint32_t channel, uint32_t row, uint32_t column)
{
    if (tensor->packed) {
        uint32_t pitch = (tensor->width + 3u) / 4u * 4u;

        return tensor->offset + (row * pitch + column) * PACKED + channel;
    }
    return tensor->offset +
           ((channel / BLOCK * tensor->height + row) * tensor->width + column) * BLOCK + channel % BLOCK;
}

void wesnpu_write_input(const struct wesnpu_tensor *input, const int8_t *values, void *data)
{
    uint32_t depth = input->packed ? PACKED : (input->channels + BLOCK - 1u) / BLOCK * BLOCK;
    uint32_t width = input->packed ? (input->width + 3u) / 4u * 4u : input->width;
    uint32_t channel, row, column;

    for (channel = 0; channel < depth; channel++)
        for (row = 0; row < input->height; row++)
            for (column = 0; column < width; column++) {
                int8_t value = (int8_t)input->zero_point;

                if (channel < input->channels && column < input->width)
                    value = values[(channel * input->height + row) * input->width + column];
                ((int8_t *)data)[place(input, channel, row, column)] = value;
            }
}

void wesnpu_read_output(const struct wesnpu_tensor *output, const void *data, int8_t *values)
{
    uint32_t channel, row, column;

    for (channel = 0; channel < output->channels; channel++)
        for (row = 0; row < output->height; row++)
            for (column = 0; column < output->width; column++)
                *values++ = ((const int8_t *)data)[place(output, channel, row, column)];
}
