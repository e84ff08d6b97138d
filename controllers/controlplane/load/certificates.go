package load

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/gateway"
)

// assumedCertificate replaces the content of Secrets.
const assumedCertificate = "assumed"

// assumeCertificates adds an entry for each Secret that Gateways use, and removes the others. It returns the dependencies that changed. Secrets
// are not read, because few users may: they are assumed to have a valid certificate that does not change.
func (l *Loaded) assumeCertificates() []catalog.Dep {
	used := gateway.Certificates(l.Catalog.View())
	var changes []catalog.Change
	for ref := range l.Entries {
		if ref.Kind == catalog.KindGatewayCertificate && !slices.Contains(used, ref.Name) {
			changes = append(changes, catalog.Change{Ref: ref})
			delete(l.Entries, ref)
		}
	}
	for _, name := range used {
		entry := &catalog.GatewayCertificate{Name: name, ChainPEM: []byte(assumedCertificate), KeyPEM: []byte(assumedCertificate)}
		if _, known := l.Entries[entry.Ref()]; !known {
			l.Entries[entry.Ref()] = entry
			changes = append(changes, catalog.Set(entry))
		}
	}
	return l.Catalog.Apply(changes)
}
