package ingest

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFieldsWithoutEffectAreNamed compares the fields without effect in docs/meshconfig.md with those that the condition names, and with
// the exceptions of the page.
func TestFieldsWithoutEffectAreNamed(t *testing.T) {
	page, err := os.ReadFile("../../../docs/meshconfig.md")
	if err != nil {
		t.Fatal(err)
	}
	sentence := regexp.MustCompile(`(?s)Not named are (.*?)\.\s`).FindStringSubmatch(string(page))
	if sentence == nil {
		t.Fatal("the page does not list exceptions")
	}
	var exceptions []string
	for _, field := range regexp.MustCompile("`(featureFlags[^`]+)`").FindAllStringSubmatch(sentence[1], -1) {
		exceptions = append(exceptions, field[1])
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|[^|]*\\| (not yet|without effect) \\|").FindAllStringSubmatch(string(page), -1) {
		named, excepted := false, slices.Contains(exceptions, row[1])
		for _, field := range unsupportedFields {
			named = named || row[1] == field.path || strings.HasPrefix(row[1], field.path+".")
		}
		if named == excepted {
			t.Errorf("%s is named by the condition: %t, and is an exception on the page: %t", row[1], named, excepted)
		}
	}
}
