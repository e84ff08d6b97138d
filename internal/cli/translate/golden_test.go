package translate_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/translate"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/testing/golden"
)

// TestGolden translates the file input.yaml of each archive, and compares the result and the notes with the others. The name of an archive
// begins with the direction, and ends with best-effort for approximations.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			to := translate.ToRoutes
			loaded, withSettings := loadText(t, archive.Files[0].Data)
			switch {
			case strings.HasPrefix(name, "to-smi-"):
				to = translate.ToSMI
			case strings.HasPrefix(name, "to-peers-"):
				to = func(l *load.Loaded, o translate.Options) *translate.Result {
					return translate.ToPeers(l, services(t, archive.Files[0].Data), o)
				}
			}
			result := to(loaded, translate.Options{BestEffort: strings.HasSuffix(name, "best-effort"), AssumeRetries: !withSettings})
			archive.Files = append(archive.Files[:1], txtar.File{Name: "want.yaml", Data: printed(t, result)}, txtar.File{Name: "notes.txt", Data: notes(result)})
			golden.Compare(t, file, txtar.Format(archive))
		})
	}
}

// services are the MultiClusterServices in a text.
func services(t *testing.T, text []byte) []*unstructured.Unstructured {
	t.Helper()
	objects, err := manifests.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(objects, func(u *unstructured.Unstructured) bool { return u.GetKind() != "MultiClusterService" })
}

func notes(r *translate.Result) []byte {
	var out bytes.Buffer
	for _, note := range r.Notes {
		out.WriteString(note.String() + "\n")
	}
	return out.Bytes()
}

func printed(t *testing.T, r *translate.Result) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := r.PrintYAML(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// loadText loads a mesh, and reports whether it has a MeshConfig.
func loadText(t *testing.T, text []byte) (*load.Loaded, bool) {
	t.Helper()
	objects, err := manifests.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	complete, err := manifests.Complete("osm", objects)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := load.FromObjects(complete.Mesh, complete.Scheme, complete.Objects)
	if err != nil {
		t.Fatal(err)
	}
	return loaded, slices.ContainsFunc(objects, func(u *unstructured.Unstructured) bool { return u.GetKind() == "MeshConfig" })
}
