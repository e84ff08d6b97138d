package finding

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// Extension returns the ExtensionService to which a policy of a namespace refers, or why it cannot be used. It may be in the namespace of the mesh.
// Effect describes what happens without it.
func Extension(v *catalog.View, meshNamespace, namespace string, name entity.Name, effect string) (*catalog.ExtensionService, []Finding) {
	if name.Namespace != namespace && name.Namespace != meshNamespace {
		return nil, []Finding{New(NoExtension, ingest.ReasonForeignNamespace,
			"ExtensionService %s is in another namespace, so %s: create one in %s, or have one created in the namespace of the mesh, %s.", name, effect, namespace, meshNamespace)}
	}
	ref := entity.Ref{Kind: entity.KindExtensionService, Name: name}
	if !v.Exists(ref) {
		return nil, []Finding{NotFound(NoExtension, ref, "ExtensionService %s does not exist, so %s: create it, or correct the reference.", name, effect)}
	}
	service := v.ExtensionService(namespace, name)
	if service == nil {
		return nil, []Finding{NotFound(NoExtension, entity.Ref{}, "ExtensionService %s cannot be used, so %s. %s", name, effect, v.WhyUnread(ref))}
	}
	return service, nil
}
