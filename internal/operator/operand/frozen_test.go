package operand

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// A frozen version renders like the current one, except for the images.
func TestFrozenVersionRendersTheSame(t *testing.T) {
	pinned := Images{}
	for _, image := range []*string{&pinned.Controller, &pinned.Injector, &pinned.Init, &pinned.Sidecar} {
		*image = "registry.example/image:v0.1.0@sha256:" + strings.Repeat("0", 64)
	}
	files, err := Freeze(pinned, strings.Repeat("a", 40))
	if err != nil {
		t.Fatal(err)
	}
	system := fstest.MapFS{}
	for name, content := range files {
		system["v0.1.0/"+name] = &fstest.MapFile{Data: content}
	}
	catalogue, err := OpenCatalogue(system, "v0.2.0", testImages())
	if err != nil {
		t.Fatal(err)
	}
	frozen, err := catalogue.Release("v0.1.0")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pinned, frozen.Images); diff != "" {
		t.Errorf("images of the frozen version (-want +got):\n%s", diff)
	}
	parameters := testParameters()
	parameters.Images = pinned
	if diff := cmp.Diff(renderAll(t, testRelease(t), parameters), renderAll(t, frozen, parameters)); diff != "" {
		t.Errorf("the frozen version renders differently (-current +frozen):\n%s", diff)
	}
}

func TestFreeze_RequiresDigests(t *testing.T) {
	if _, err := Freeze(testImages(), strings.Repeat("a", 40)); err == nil || !strings.Contains(err.Error(), "has no digest") {
		t.Errorf("Freeze with tags = %v, want an error about digests", err)
	}
}
