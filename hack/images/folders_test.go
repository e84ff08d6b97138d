package main

import (
	"testing"

	"github.com/openservicemesh/osm-operator/hack/internal/paths"
)

// One variable moves all caches, so that CI stores one folder.
func TestCacheFolderIsThatOfTheOtherTools(t *testing.T) {
	for _, folder := range []string{"", "/srv/cache"} {
		t.Setenv(paths.CacheVariable, folder)
		want, err := paths.FindCache(func(string) string { return folder })
		if err != nil {
			t.Fatal(err)
		}
		if got, err := cacheFolder(); err != nil || got != want || folder != "" && got != folder {
			t.Errorf("with %q: %q %v, want %q", folder, got, err, want)
		}
	}
}
