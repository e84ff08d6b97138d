package main

import (
	"path"
	"slices"
	"strings"
	"testing"
)

func TestCatalogueHasUniqueNamesAndAProgramPerImage(t *testing.T) {
	seen := map[string]bool{}
	for _, img := range everyImage() {
		if seen[img.name] {
			t.Errorf("the image %s is listed twice", img.name)
		}
		seen[img.name] = true
		if !path.IsAbs(img.entrypoint) {
			t.Errorf("the image %s has entrypoint %q, want an absolute path", img.name, img.entrypoint)
		}
		inBase := img.base.envoy || img.base.complete || slices.Contains(img.base.files, strings.TrimPrefix(img.entrypoint, "/"))
		if img.command == "" && !inBase {
			t.Errorf("the image %s has no program", img.name)
		}
	}
}
