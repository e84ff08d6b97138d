package initconfig

import (
	"bytes"
	"net/netip"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
)

// FuzzDocument reads any argument of osm-init. What it accepts is written the same way again, and renders to files of valid YAML.
func FuzzDocument(f *testing.F) {
	arguments, err := Arguments(full())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(arguments[0])
	for _, seed := range []string{``, `--config=`, `--config={}`, `--config={"version":1}`, `--config={"version":2}`, `--config={"version":1,"redirect":{"excludeOutboundRanges":["::/129"]}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, argument string) {
		document, err := Parse([]string{argument})
		if err != nil {
			return
		}
		first, err := Arguments(document)
		if err != nil {
			t.Fatalf("an accepted document cannot be written: %v", err)
		}
		again, err := Parse(first)
		if err != nil {
			t.Fatalf("a written document cannot be read: %v", err)
		}
		if second, err := Arguments(again); err != nil || second[0] != first[0] {
			t.Errorf("a second writing differs: %v\n%s\n%s", err, first[0], second[0])
		}
		config := document.Bootstrap
		config.ServiceAccount, config.Namespace, config.Dirs = "web", "shop", bootstrap.DefaultDirs()
		config.PodIPs = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
		files, err := bootstrap.Render(config)
		if err != nil {
			return // rejected with a message
		}
		for _, file := range files {
			var content any
			if err := yaml.Unmarshal(file.Content, &content); err != nil || !bytes.HasSuffix(file.Content, []byte("\n")) {
				t.Errorf("%s is not YAML: %v", file.Name, err)
			}
		}
	})
}
