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

// TestEveryFieldIsDocumented compares the table of docs/meshconfig.md with the fields that there are, and with what the code says
// of when they act.
func TestEveryFieldIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/meshconfig.md")
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
	fields := leaves(reflect.TypeFor[configv1alpha2.MeshConfigSpec](), "")
	for _, field := range fields {
		if acts := documented[field]; !slices.Contains([]string{"at once", "on new pods", "not yet", "without effect"}, acts) {
			t.Errorf("the table says %q of when %s acts", acts, field)
		}
		delete(documented, field)
	}
	for field := range documented {
		t.Errorf("the table has %s, which is no field", field)
	}
}

// TestDocumentedTimesAreTrue holds the words of the table against the lists that the conditions are made from.
func TestDocumentedTimesAreTrue(t *testing.T) {
	page, err := os.ReadFile("../../docs/meshconfig.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|[^|]*\\| ([^|]+) \\|").FindAllStringSubmatch(string(page), -1) {
		field, acts := row[1], row[2]
		if actsOnNewPods(field) != (acts == "on new pods") {
			t.Errorf("the table says that %s acts %s, the code that it acts on new pods: %v", field, acts, actsOnNewPods(field))
		}
		for _, listed := range notActedOn {
			if (field == listed.path || strings.HasPrefix(field, listed.path+".")) && acts != "not yet" {
				t.Errorf("the table says that %s acts %s, the code that it is not acted on", field, acts)
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

// leaves are the paths of the fields of a type of this API; what is of another package is one field.
func leaves(of reflect.Type, path string) []string {
	var list []string
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if path != "" {
			name = path + "." + name
		}
		if field.Type.Kind() == reflect.Struct && field.Type.PkgPath() == of.PkgPath() {
			list = append(list, leaves(field.Type, name)...)
			continue
		}
		list = append(list, name)
	}
	return list
}
