package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShortenDefinition(t *testing.T) {
	const content = `---
spec:
  description: ours
  properties:
    affinity:
      description: ours
      properties:
        description:
          description: a field with this name
          type: string
        nodeAffinity:
          description: of Kubernetes
          items:
          - description: of Kubernetes
            type: object
      type: object
    image:
      description: ours
`
	const want = `---
spec:
  description: ours
  properties:
    affinity:
      description: ours
      properties:
        description:
          type: string
        nodeAffinity:
          items:
          - type: object
      type: object
    image:
      description: ours
`
	got, err := shortenDefinition([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("the definition (-want +got):\n%s", diff)
	}
}

// TestShortenDefinition_WithoutEmbeddedFields checks that other definitions keep their bytes.
func TestShortenDefinition_WithoutEmbeddedFields(t *testing.T) {
	const content = "---\nb: {description: ours}\na:   1\n"
	got, err := shortenDefinition([]byte(content))
	if err != nil || string(got) != content {
		t.Errorf("the definition became %q (%v)", got, err)
	}
}
