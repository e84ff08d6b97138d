package ingest

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
)

// TestEveryFieldIsDocumented compares the table of docs/meshconfig.md with the fields of the API.
func TestEveryFieldIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/meshconfig.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|[^|]*\\| ([^|]+) \\|").FindAllStringSubmatch(string(page), -1) {
		if _, twice := documented[row[1]]; twice {
			t.Errorf("%s is in the table twice", row[1])
		}
		documented[row[1]] = row[2]
	}
	fields := fieldPaths(reflect.TypeFor[configv1alpha2.MeshConfigSpec](), "")
	for _, field := range fields {
		if acts := documented[field]; !slices.Contains([]string{"at once", "on new pods", "by an upgrade", "not yet", "without effect"}, acts) {
			t.Errorf("the table has %q for %s", acts, field)
		}
		delete(documented, field)
	}
	for field := range documented {
		t.Errorf("the table has %s, which is not a field", field)
	}
}

// TestDocumentedEffectIsCorrect compares when fields take effect, as documented, with the lists in the code.
func TestDocumentedEffectIsCorrect(t *testing.T) {
	page, err := os.ReadFile("../../../docs/meshconfig.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|[^|]*\\| ([^|]+) \\|").FindAllStringSubmatch(string(page), -1) {
		field, acts := row[1], row[2]
		if actsOnNewPods(field) != (acts == "on new pods") {
			t.Errorf("the table has %q for %s, but in the code it applies to new pods: %v", acts, field, actsOnNewPods(field))
		}
		for _, listed := range unsupportedFields {
			if (field == listed.path || strings.HasPrefix(field, listed.path+".")) && acts != "not yet" {
				t.Errorf("the table has %q for %s, but the code does not support it", acts, field)
			}
		}
	}
}

func actsOnNewPods(field string) bool {
	for _, listed := range newPodFields {
		if listed.path == field {
			return true
		}
	}
	return false
}

// fieldPaths are the paths of the fields of a type of this API. A type of another package counts as one field.
func fieldPaths(of reflect.Type, path string) []string {
	var list []string
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if path != "" {
			name = path + "." + name
		}
		if field.Type.Kind() == reflect.Struct && field.Type.PkgPath() == of.PkgPath() {
			list = append(list, fieldPaths(field.Type, name)...)
			continue
		}
		list = append(list, name)
	}
	return list
}
