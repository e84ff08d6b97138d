package main

import (
	"path"
	"testing"
)

func TestCatalogueNamesAreUniqueAndProgramsHaveAPlace(t *testing.T) {
	seen := map[string]bool{}
	for _, img := range catalogue() {
		if seen[img.name] {
			t.Errorf("the image %s is listed twice", img.name)
		}
		seen[img.name] = true
		if !path.IsAbs(img.entrypoint) {
			t.Errorf("the image %s starts %q, want an absolute path", img.name, img.entrypoint)
		}
		if img.command == "" && !img.base.envoy {
			t.Errorf("the image %s has no program", img.name)
		}
	}
}
