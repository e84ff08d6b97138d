package fetch

import (
	"slices"
	"testing"
)

func TestPackageNames(t *testing.T) {
	got := packageNames("Reading package lists...\n'http://mirror/l/liblzf1_3.6-3_amd64.deb' liblzf1_3.6-3_amd64.deb 10000 MD5Sum:00\n" +
		"'http://mirror/r/redis-server_5%3a7.0.15_amd64.deb' redis-server_5%3a7.0.15_amd64.deb 72000 MD5Sum:00\n")
	if want := []string{"liblzf1", "redis-server"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
