package main

import "testing"

func TestSeedFollowsTheContent(t *testing.T) {
	of := func(root string, folders ...string) string { return seedOf(t.Context(), root, folders) }
	mesh := of(".", "internal/mesh")
	if mesh == "" || mesh == "0" || mesh != of(".", "internal/mesh") {
		t.Errorf("the checkout gives %q", mesh)
	}
	if other := of(".", "internal/mesh", "internal/testing"); other == mesh {
		t.Errorf("other folders give %q too", other)
	}
	for what, seed := range map[string]string{"a folder without git": of(t.TempDir(), "internal/mesh"), "a missing folder": of(".", "internal/none")} {
		if seed != "" {
			t.Errorf("%s gives %q", what, seed)
		}
	}
	if of(".", seededFolders()...) == "" {
		t.Errorf("the checkout lacks one of %q", seededFolders())
	}
}
