package compare

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// TestPlanOfEscapedSlashes edits what becomes of escaped slashes, by a namespace and by its Service, which has precedence.
func TestPlanOfEscapedSlashes(t *testing.T) {
	yes, no := true, false
	for name, test := range map[string]struct {
		namespace bool
		service   *bool
		edited    bool
		want      Access
	}{
		"the namespace decodes":                  {false, nil, true, Allowed},
		"the namespace ceases to":                {true, nil, false, Denied},
		"the Service rejects them":               {false, &no, true, ""},
		"the Service decodes them in any case":   {true, &yes, false, ""},
		"an edit that is about something else":   {true, nil, true, ""},
		"a Service that says what the other did": {false, &yes, false, ""},
	} {
		before := Mesh{Catalog: catalog.New(), Entries: map[entity.Ref]catalog.Entry{}}
		var namespace, service catalog.Entry
		for _, entry := range outsideMesh() {
			switch entry := entry.(type) {
			case *catalog.Namespace:
				namespace = entry
			case *inventory.Service:
				if entry.Ports[0].Protocol.IsHTTP() && entry.Name.Namespace == "shop" {
					edited := *entry
					edited.DecodeSlashes = test.service
					service = &edited
				}
			}
			apply(before, []catalog.Change{catalog.Set(entry)})
		}
		set := func(decode bool) []catalog.Change {
			edited := *namespace.(*catalog.Namespace)
			edited.DecodeSlashes = decode
			return []catalog.Change{catalog.Set(&edited), catalog.Set(service)}
		}
		apply(before, set(test.namespace))
		after := before.clone()
		found, err := Meshes(Subject{TrustDomain: "cluster.local"}, before, after, apply(after, set(test.edited)))
		if err != nil {
			t.Fatal(err)
		}
		var got Access
		for _, flow := range found.Flows {
			if strings.Contains(flow.Request, "%2F") {
				got = flow.After
			}
		}
		if got != test.want {
			t.Errorf("%s: requests with escaped slashes are %q after the edit, want %q: %+v", name, got, test.want, found.Flows)
		}
	}
}
