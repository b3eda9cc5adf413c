/*
 * picture-diff.c - compares two PNG pictures the way an eye would and dot by dot.
 *
 * picture-diff A.png B.png prints one JSON line: {"same_size", "max", "differing", "block"}; max = largest
 * difference of a channel, differing = dots that differ by more than 4, block = largest difference of the mean
 * of an 8 x 8 block. Status 0 whenever both could be read; the caller judges the figures.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include <cairo.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK = 8, VISIBLE = 4 };

static int
dot(const uint8_t *row, int x, int channel)
{
	return row[4 * x + channel];
}

static int
block_difference(cairo_surface_t *a, cairo_surface_t *b, int bx, int by, int channel)
{
	int sum = 0;

	for (int y = by; y < by + BLOCK; y++) {
		const uint8_t *ra = cairo_image_surface_get_data(a) + y * cairo_image_surface_get_stride(a);
		const uint8_t *rb = cairo_image_surface_get_data(b) + y * cairo_image_surface_get_stride(b);
		for (int x = bx; x < bx + BLOCK; x++)
			sum += dot(ra, x, channel) - dot(rb, x, channel);
	}
	return abs(sum) / (BLOCK * BLOCK);
}

int
main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: picture-diff A.png B.png\n");
		return 64;
	}
	cairo_surface_t *a = cairo_image_surface_create_from_png(argv[1]);
	cairo_surface_t *b = cairo_image_surface_create_from_png(argv[2]);
	if (cairo_surface_status(a) || cairo_surface_status(b)) {
		fprintf(stderr, "picture-diff: %s: cannot be read\n",
			cairo_surface_status(a) ? argv[1] : argv[2]);
		return 66;
	}
	int w = cairo_image_surface_get_width(a), h = cairo_image_surface_get_height(a);
	if (w != cairo_image_surface_get_width(b) || h != cairo_image_surface_get_height(b)) {
		printf("{\"same_size\": false, \"max\": 255, \"differing\": -1, \"block\": 255}\n");
		return 0;
	}
	int max = 0, worst_block = 0;
	long differing = 0;
	for (int y = 0; y < h; y++) {
		const uint8_t *ra = cairo_image_surface_get_data(a) + y * cairo_image_surface_get_stride(a);
		const uint8_t *rb = cairo_image_surface_get_data(b) + y * cairo_image_surface_get_stride(b);
		for (int x = 0; x < w; x++) {
			int worst = 0;
			for (int c = 0; c < 3; c++) {
				int d = abs(dot(ra, x, c) - dot(rb, x, c));
				worst = d > worst ? d : worst;
			}
			max = worst > max ? worst : max;
			differing += worst > VISIBLE;
		}
	}
	for (int y = 0; y + BLOCK <= h; y += BLOCK)
		for (int x = 0; x + BLOCK <= w; x += BLOCK)
			for (int c = 0; c < 3; c++) {
				int d = block_difference(a, b, x, y, c);
				worst_block = d > worst_block ? d : worst_block;
			}
	printf("{\"same_size\": true, \"max\": %d, \"differing\": %ld, \"block\": %d}\n", max, differing,
		worst_block);
	cairo_surface_destroy(a);
	cairo_surface_destroy(b);
	return 0;
}
