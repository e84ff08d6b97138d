package current

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// reference matches the images of the project, with the character before them.
var reference = regexp.MustCompile(`.openservicemesh/[a-z-]+:v`)

func TestEveryImageOfTheProjectIsPulledFromTheRegistry(t *testing.T) {
	files, err := filepath.Glob("../../../config/samples/bookstore/apps/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "../../../dist/install.yaml")
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		before := reference.FindAllString(string(content), -1)
		text := WithRegistry(string(content), "registry.example.com/mirror/")
		if n := strings.Count(text, " registry.example.com/mirror/openservicemesh/"); len(before) == 0 || n != len(before) {
			t.Errorf("%s: %d of %d images are replaced", file, n, len(before))
		}
		if WithRegistry(string(content), "") != string(content) {
			t.Errorf("%s changes without a registry", file)
		}
	}
}
