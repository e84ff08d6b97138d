package main

import "testing"

func TestSeedFollowsTheContent(t *testing.T) {
	for hash, want := range map[string]string{
		"0000000000000ffabcdefabcdefabcdefabcdef0": "255", "00000000000000000000000000000000000000000": "1", "ffffffffffffffffffffffffffffffffffffffff": "1152921504606846975",
		"": "", "not a hash, but as long as one": "",
	} {
		if got := seedOfTree(hash); got != want {
			t.Errorf("%q gives %q, want %q", hash, got, want)
		}
	}
	if got := seedOf(t.Context(), t.TempDir()); got != "" {
		t.Errorf("a folder without git gives %q", got)
	}
	if got := seedOf(t.Context(), "."); got == "" || got != seedOf(t.Context(), ".") {
		t.Errorf("the checkout gives %q", got)
	}
}
