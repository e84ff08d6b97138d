package debian

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMissing(t *testing.T) {
	status := "gcc installed\nnftables config-files\nmount installed\n"
	if diff := cmp.Diff([]string{"nftables", "pkg-config"}, missing([]string{"gcc", "nftables", "mount", "pkg-config"}, status)); diff != "" {
		t.Error(diff)
	}
}
