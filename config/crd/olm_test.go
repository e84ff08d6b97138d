package crd_test

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"testing"

	"sigs.k8s.io/crdify/pkg/config"
	"sigs.k8s.io/crdify/pkg/runner"
	"sigs.k8s.io/crdify/pkg/validations"
	"sigs.k8s.io/crdify/pkg/validations/property"

	"github.com/openservicemesh/osm-operator/config/crd"
)

// TestOLMAcceptsTheDefinitions compares the definitions with those of each released version by the library and the settings of the Operator
// Lifecycle Manager v1. It rejects an upgrade with any change of a field that it does not recognize as compatible. This includes each change
// of a validation rule or of its message.
func TestOLMAcceptsTheDefinitions(t *testing.T) {
	olm, err := runner.New(settingsOfOLM(), runner.DefaultRegistry())
	if err != nil {
		t.Fatal(err)
	}
	current := definitions(t, crd.Own, crd.SMI, crd.MCS)
	for _, version := range released(t) {
		for name, before := range definitions(t, os.DirFS(path.Join("testdata", version))) {
			if current[name] == nil {
				continue // TestDefinitionsRemainCompatible reports it
			}
			for _, problem := range problems(olm.Run(before, current[name])) {
				t.Errorf("OLM v1 rejects the upgrade from %s: %s: %s", version, name, problem)
			}
		}
	}
}

// released returns the recorded versions that have been released with their images, and thus with a bundle.
func released(t *testing.T) []string {
	t.Helper()
	lists, err := fs.Glob(os.DirFS("../../internal/operator/operand/manifests"), "*/IMAGES")
	if err != nil || len(lists) == 0 {
		t.Fatalf("no version has a list of images (%v)", err)
	}
	var versions []string
	for _, list := range lists {
		versions = append(versions, path.Dir(list))
	}
	return versions
}

// settingsOfOLM returns the settings of the preflight check in operator-controller 1.5.
func settingsOfOLM() *config.Config {
	return &config.Config{
		Conversion:           config.ConversionPolicyIgnore,
		UnhandledEnforcement: config.EnforcementPolicyError,
		Validations: []config.ValidationConfig{
			{Name: "description", Enforcement: config.EnforcementPolicyNone},
			{Name: "enum", Enforcement: config.EnforcementPolicyError, Configuration: map[string]any{"additionPolicy": property.AdditionPolicyAllow}},
		},
	}
}

// problems returns the errors with the paths of their fields, sorted.
func problems(results *runner.Results) []string {
	var all []string
	for _, result := range results.CRDValidation {
		all = append(all, result.Errors...)
	}
	for _, versions := range []map[string]map[string][]validations.ComparisonResult{results.SameVersionValidation, results.ServedVersionValidation} {
		for version, fields := range versions {
			for field, comparisons := range fields {
				for _, comparison := range comparisons {
					for _, message := range comparison.Errors {
						all = append(all, version+" "+field+": "+comparison.Name+": "+message)
					}
				}
			}
		}
	}
	slices.Sort(all)
	return all
}
