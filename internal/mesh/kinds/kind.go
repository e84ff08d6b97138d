package kinds

import (
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// Kind is one row of the table of kinds: what several packages need to know about a kind of Open Service Mesh.
type Kind struct {
	schema.GroupVersionKind
	Facts
	// source reads the objects of a policy kind that affects traffic. Other kinds have none.
	source *Source
	// check validates an object of a kind without a source; nil if admission does not validate it.
	check func(*unstructured.Unstructured) []ingest.Problem
}

// Facts are properties of a kind. The zero value is that of most kinds.
type Facts struct {
	// Short is kubectl's short name of the kind, if it differs from the singular.
	Short string
	// Feature is the switch of the MeshConfig that enables the kind; nil if it is always enabled.
	Feature *Feature
	// Exclusive is true if an object can make another one of the same kind ineffective, in whole or in part.
	Exclusive bool
	// YieldsTo is the other kind whose objects have precedence over objects of this kind, if any.
	YieldsTo entity.Kind
	// Clients is the path of the service account, or of the list of them, whose requests an object configures.
	Clients []string
	// MeshWide is true if objects in the namespace of the mesh concern all namespaces.
	MeshWide bool
	// Anywhere is true if analysis covers the objects of namespaces outside the mesh too.
	Anywhere bool
	// QuietStatus is true if the status of an object without problems is empty. OSM's tools read such objects and later write back what they
	// hold, and each write of the status in between makes theirs a conflict.
	QuietStatus bool
}

// Feature is a switch of the MeshConfig.
type Feature struct {
	// Field is its name in spec.featureFlags.
	Field   string
	Enabled func(configv1alpha2.FeatureFlags) bool
}

// policy returns the row of a kind that affects traffic.
func policy[E interface {
	comparable
	catalog.Entry
}](kind schema.GroupVersionKind, read func(*unstructured.Unstructured) (E, []ingest.Problem), facts Facts) Kind {
	source := SourceOf(entity.Kind(kind.Kind), Object(kind), read)
	return Kind{GroupVersionKind: kind, source: &source, Facts: facts}
}

// Plural is the name of the resource in URLs, RBAC rules and webhooks.
func (k Kind) Plural() string {
	plural, _ := meta.UnsafeGuessKindToResource(k.GroupVersionKind)
	return plural.Resource
}

// Definition is the name of the CRD.
func (k Kind) Definition() string { return k.Plural() + "." + k.Group }

// IsNamed reports whether a text is the singular, plural or short name of the kind.
func (k Kind) IsNamed(text string) bool {
	text = strings.ToLower(text)
	return text == strings.ToLower(k.Kind) || text == k.Plural() || text != "" && text == k.Short
}

// AffectsTraffic reports whether objects of the kind are policies that have an effect.
func (k Kind) AffectsTraffic() bool { return k.source != nil }

// IsPolicy reports whether admission validates objects of the kind, and the control plane writes their status.
func (k Kind) IsPolicy() bool { return k.source != nil || k.check != nil }

// Read returns the entry of an object of any version of the kind, and its problems. The entry is nil if the object is not part of the mesh.
func (k Kind) Read(object *unstructured.Unstructured) (catalog.Entry, []ingest.Problem) {
	switch {
	case k.source != nil:
		return k.source.Ingest(object)
	case k.check != nil:
		return nil, k.check(object)
	}
	return nil, nil
}

// Validate returns the problems of an object of any version of the kind.
func (k Kind) Validate(object *unstructured.Unstructured) []ingest.Problem {
	_, problems := k.Read(object)
	return problems
}

// Lookup returns the row of a kind, whatever its version.
func Lookup(kind schema.GroupKind) (Kind, bool) {
	return find(func(k Kind) bool { return k.GroupKind() == kind })
}

// Named returns the policy kind with a singular, plural or short name.
func Named(text string) (Kind, bool) {
	return find(func(k Kind) bool { return k.AffectsTraffic() && k.IsNamed(text) })
}

// HasQuietStatus reports whether the status of an object of a kind is empty while it has no problems, see Facts.
func HasQuietStatus(kind string) bool {
	k, found := find(func(k Kind) bool { return k.Kind == kind })
	return found && k.QuietStatus
}

// rows is the table for look-ups, made once: admission and analysis look up the kind of each object.
var rows = sync.OnceValue(All)

func find(matches func(Kind) bool) (Kind, bool) {
	i := slices.IndexFunc(rows(), matches)
	if i < 0 {
		return Kind{}, false
	}
	return rows()[i], true
}

// Policies returns a Source for each kind that affects traffic.
func Policies() []Source {
	var sources []Source
	for _, kind := range All() {
		if kind.AffectsTraffic() {
			sources = append(sources, *kind.source)
		}
	}
	return sources
}

// Object returns an empty object of a kind.
func Object(kind schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	return u
}
