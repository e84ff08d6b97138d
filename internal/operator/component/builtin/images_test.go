package builtin_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/operator/component/builtin"
)

// Tools that mirror images find each of them in the Deployment of the operator, with the default.
func TestDeploymentListsEachImage(t *testing.T) {
	text, err := os.ReadFile("../../../../config/manager/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	version, err := os.ReadFile("../../../../VERSION")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, c := range builtin.All() {
		for _, image := range c.Images() {
			count++
			reference := strings.TrimSuffix(image.Reference, ":dev")
			if reference != image.Reference {
				reference += ":" + strings.TrimSpace(string(version))
			}
			want := "        - name: " + image.Variable + "\n          value: " + reference + "\n"
			if !strings.Contains(string(text), want) {
				t.Errorf("the Deployment of the operator does not contain\n%s", want)
			}
		}
	}
	if count < 4 {
		t.Errorf("%d images are declared", count)
	}
}

// A variable replaces the default, and the Mesh replaces both.
func TestVariablesReplaceImages(t *testing.T) {
	for _, c := range builtin.All() {
		for _, image := range c.Images() {
			in := inputs(t)
			in.Images = map[string]string{image.Variable: "mirror.example.com/image@sha256:1"}
			objects, err := c.Render(in)
			if err != nil {
				t.Fatal(err)
			}
			rendered, err := json.Marshal(objects)
			if err != nil {
				t.Fatal(err)
			}
			if text := string(rendered); !strings.Contains(text, `"image":"mirror.example.com/image@sha256:1"`) || strings.Contains(text, image.Reference) {
				t.Errorf("%s does not use the image of %s", c.Name(), image.Variable)
			}
			own := "own.example.com/image"
			if got := in.Image(image, &own); got != own {
				t.Errorf("%s uses %s, but the Mesh has its own image", c.Name(), got)
			}
		}
	}
}
