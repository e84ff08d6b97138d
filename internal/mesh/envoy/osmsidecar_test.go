package envoy_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

func TestDump(t *testing.T) {
	type res struct {
		Name    string `json:"name"`
		TypeURL string `json:"typeURL"`
		Value   []byte `json:"value"`
	}
	var all []res
	for name, s := range scopes(t) {
		if s.Key.Proxy != "" {
			continue
		}
		s.Key.Class.OSM = true
		for _, r := range append(envoy.Build(s), append(envoy.TrustSecrets(s, []byte("root")), envoy.OutsideSecrets(s)...)...) {
			b, err := proto.Marshal(r.Message)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, res{name + " " + r.Name, r.TypeURL, b})
		}
	}
	b, _ := json.Marshal(all)
	cmd := exec.Command("/tmp/envoy122")
	cmd.Stdin = bytes.NewReader(b)
	out, _ := cmd.CombinedOutput()
	os.WriteFile("/tmp/envoy122.out", out, 0o600)
}
