package thirdparty

import (
	"strings"
	"testing"
)

func TestEveryControllerHasManifests(t *testing.T) {
	for _, c := range All() {
		text, err := c.manifests()
		if err != nil {
			t.Error(err)
		}
		for _, name := range c.deployments {
			if !strings.Contains(text, "kind: Deployment\nmetadata: {name: "+name+", namespace: "+c.namespace+"}") {
				t.Errorf("the manifests of %s have no Deployment %s in namespace %s", c.Name, name, c.namespace)
			}
		}
	}
}
