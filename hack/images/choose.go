package main

import (
	"fmt"
	"slices"
	"strings"
)

// choose returns the images with the given names, whether they can be built or not; for no names it returns all that
// buildable says yes to.
func choose(all []image, names []string, buildable func(image) bool) ([]image, error) {
	var chosen []image
	if len(names) == 0 {
		for _, img := range all {
			if buildable(img) {
				chosen = append(chosen, img)
			}
		}
		return chosen, nil
	}
	for _, name := range names {
		i := slices.IndexFunc(all, func(img image) bool { return img.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no image %q; the images are %s", name, strings.Join(namesOf(all), ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func namesOf(all []image) []string {
	var names []string
	for _, img := range all {
		names = append(names, img.name)
	}
	return names
}
