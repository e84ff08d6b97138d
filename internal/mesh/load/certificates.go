package load

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// assumedCertificate replaces the content of Secrets.
const assumedCertificate = "assumed"

// assumeCertificates adds an entry for each Secret that Gateways and Egresses use, and removes the others. It returns the dependencies that
// changed. Secrets are not read, because few users may: they are assumed to have valid certificates that do not change.
func (l *Loaded) assumeCertificates() []catalog.Dep {
	used := l.assumedEntries()
	var changes []catalog.Change
	for ref := range l.Entries {
		isSecret := ref.Kind == catalog.KindGatewayCertificate || ref.Kind == catalog.KindEgressCredential
		if isSecret && !slices.ContainsFunc(used, func(entry catalog.Entry) bool { return entry.Ref() == ref }) {
			changes = append(changes, catalog.Change{Ref: ref})
			delete(l.Entries, ref)
		}
	}
	for _, entry := range used {
		if _, known := l.Entries[entry.Ref()]; !known {
			l.Entries[entry.Ref()] = entry
			changes = append(changes, catalog.Set(entry))
		}
	}
	return l.Catalog.Apply(changes)
}

// assumedEntries are the entries of the Secrets in use.
func (l *Loaded) assumedEntries() []catalog.Entry {
	content := []byte(assumedCertificate)
	var entries []catalog.Entry
	for _, name := range gateway.Certificates(l.Catalog.View()) {
		entries = append(entries, &catalog.GatewayCertificate{Name: name, ChainPEM: content, KeyPEM: content})
	}
	for _, policy := range l.Catalog.View().GatewayEgresses() {
		if name, ok := policy.Credential(); ok {
			entries = append(entries, &catalog.EgressCredential{Name: name, AuthoritiesPEM: content, ChainPEM: content, KeyPEM: content})
		}
	}
	return entries
}
