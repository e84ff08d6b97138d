package bundle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// labels are the annotations of a bundle, and the labels of its image.
func labels() map[string]string {
	const prefix = "operators.operatorframework.io."
	return map[string]string{
		prefix + "bundle.mediatype.v1":       "registry+v1",
		prefix + "bundle.manifests.v1":       "manifests/",
		prefix + "bundle.metadata.v1":        "metadata/",
		prefix + "bundle.package.v1":         Package,
		prefix + "bundle.channels.v1":        Channels,
		prefix + "bundle.channel.default.v1": DefaultChannel,
		prefix + "test.mediatype.v1":         "scorecard+v1",
		prefix + "test.config.v1":            "tests/scorecard/",
	}
}

// annotationsFile is the file metadata/annotations.yaml.
func annotationsFile() []byte {
	var text strings.Builder
	text.WriteString("annotations:\n")
	all := labels()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "  %s: %q\n", key, all[key])
	}
	return []byte(text.String())
}

// dockerfile builds the image of the bundle, with the folder bundle as its context.
func dockerfile() string {
	var text strings.Builder
	text.WriteString("FROM scratch\n\n")
	all := labels()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "LABEL %s=%s\n", key, all[key])
	}
	text.WriteString("\nCOPY manifests /manifests/\nCOPY metadata /metadata/\nCOPY tests/scorecard /tests/scorecard/\n")
	return text.String()
}

// scorecard runs the tests that scorecard has for bundles. The test olm-crds-have-resources is missing: it requires that each kind has
// objects of its own, which policies do not have.
const scorecard = `apiVersion: scorecard.operatorframework.io/v1alpha3
kind: Configuration
metadata:
  name: config
stages:
- parallel: true
  tests:
  - {image: quay.io/operator-framework/scorecard-test:v1.41.1, entrypoint: [scorecard-test, basic-check-spec], labels: {suite: basic, test: basic-check-spec-test}}
  - {image: quay.io/operator-framework/scorecard-test:v1.41.1, entrypoint: [scorecard-test, olm-bundle-validation], labels: {suite: olm, test: olm-bundle-validation-test}}
  - {image: quay.io/operator-framework/scorecard-test:v1.41.1, entrypoint: [scorecard-test, olm-crds-have-validation], labels: {suite: olm, test: olm-crds-have-validation-test}}
  - {image: quay.io/operator-framework/scorecard-test:v1.41.1, entrypoint: [scorecard-test, olm-spec-descriptors], labels: {suite: olm, test: olm-spec-descriptors-test}}
  - {image: quay.io/operator-framework/scorecard-test:v1.41.1, entrypoint: [scorecard-test, olm-status-descriptors], labels: {suite: olm, test: olm-status-descriptors-test}}
`
