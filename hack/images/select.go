package main

import (
	"fmt"
	"slices"
	"strings"
)

// selectImages returns the images with the given names. Without names it returns all images that can be built.
func selectImages(all []image, names []string, buildable func(image) bool) ([]image, error) {
	var selected []image
	if len(names) == 0 {
		for _, img := range all {
			if buildable(img) {
				selected = append(selected, img)
			}
		}
		return selected, nil
	}
	for _, name := range names {
		i := slices.IndexFunc(all, func(img image) bool { return img.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no image %q; the images are %s", name, strings.Join(namesOf(all), ", "))
		}
		selected = append(selected, all[i])
	}
	return selected, nil
}

func namesOf(all []image) []string {
	var names []string
	for _, img := range all {
		names = append(names, img.name)
	}
	return names
}
