package authz

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// BackendTLS is how sidecars encrypt requests to a host outside the mesh or to a server of theirs.
type BackendTLS struct {
	// Policy is the BackendTLSPolicy.
	Policy entity.Name
	// ServerName is the name that the sidecar requests. The server must prove one of Names.
	ServerName string
	Names      []catalog.SubjectAltName
	// AuthoritiesPEM are those by which the servers are verified.
	AuthoritiesPEM []byte
	// Unusable is true if nothing is sent, because it cannot be encrypted as the policy demands. Requests of applications are answered with 503.
	Unusable bool
}

type backendTLSKey struct{ policy entity.Name }

// backendTLS returns how requests are encrypted because of a policy. Nobody may change the result.
func backendTLS(v *catalog.View, policy *catalog.BackendTLSPolicy) *BackendTLS {
	return catalog.Memo(v, backendTLSKey{policy.Name}, func() *BackendTLS {
		tls := &BackendTLS{Policy: policy.Name, ServerName: policy.Hostname, Names: policy.SubjectAltNames}
		if len(tls.Names) == 0 {
			tls.Names = []catalog.SubjectAltName{{Name: policy.Hostname}}
		}
		authorities, problem := BackendAuthorities(v, policy)
		tls.AuthoritiesPEM, tls.Unusable = authorities, policy.Problem != "" || problem != ""
		return tls
	})
}

// ServerTLS returns how connections to an ExtensionService are encrypted; nil if they are not. Nobody may change the result.
func ServerTLS(v *catalog.View, service *catalog.ExtensionService) *BackendTLS {
	return encryptedBy(v, ServerPolicy(v, service))
}

// ServerPolicy returns the policy by which connections to an ExtensionService are encrypted; nil for none. One for the ExtensionService precedes one
// for the Service that it names.
func ServerPolicy(v *catalog.View, service *catalog.ExtensionService) *catalog.BackendTLSPolicy {
	if policy := v.BackendTLSOfServer(service.Name); policy != nil {
		return policy
	}
	return HostPolicy(v, service.Address, service.Port)
}

// HostTLS returns how connections to another server of the mesh are encrypted; nil if they are not. Nobody may change the result.
func HostTLS(v *catalog.View, host string, port uint16) *BackendTLS {
	return encryptedBy(v, HostPolicy(v, host, port))
}

// HostPolicy returns the policy for the Service with a DNS name; nil for none.
func HostPolicy(v *catalog.View, host string, port uint16) *catalog.BackendTLSPolicy {
	if service, known := catalog.ServiceOfHost(host); known {
		return v.BackendTLSOfService(service, port)
	}
	return nil
}

func encryptedBy(v *catalog.View, policy *catalog.BackendTLSPolicy) *BackendTLS {
	if policy == nil {
		return nil
	}
	return backendTLS(v, policy)
}

// BackendAuthorities returns the authorities of the servers of a policy, as PEM, or why requests cannot be encrypted with them, as a sentence.
func BackendAuthorities(v *catalog.View, policy *catalog.BackendTLSPolicy) (list []byte, problem string) {
	if policy.OtherAuthorities != "" {
		problem = fmt.Sprintf("spec.validation.caCertificateRefs refers to %s: refer to a ConfigMap.", policy.OtherAuthorities)
	}
	for _, name := range policy.Authorities {
		authorities := v.BackendAuthorities(entity.Name{Namespace: policy.Name.Namespace, Name: name})
		switch {
		case authorities == nil:
			problem = fmt.Sprintf("The ConfigMap %s has not been read yet.", name)
		case authorities.Problem != "":
			problem = authorities.Problem
		default:
			list = append(list, authorities.PEM...)
		}
	}
	if len(list) > catalog.MaxAuthoritiesBytes {
		problem = fmt.Sprintf("The authorities have more than %d bytes together: use fewer.", catalog.MaxAuthoritiesBytes)
	}
	if problem != "" {
		return nil, problem
	}
	return list, ""
}

// encrypt records that requests to a host are encrypted because of a policy. Of several, the oldest applies. So requests are never sent in plaintext
// because another Egress allows them too.
func (b *egressBuilder) encrypt(host string, policy *catalog.BackendTLSPolicy) {
	if policy == nil {
		return
	}
	if b.encrypted == nil {
		b.encrypted = map[string]*catalog.BackendTLSPolicy{}
	}
	if known := b.encrypted[host]; known == nil || policy.Precedes(known) {
		b.encrypted[host] = policy
	}
}

// addBackendTLS applies the recorded policies. The egress gateway does not know them, so requests that it would forward are answered with 503.
func (b *egressBuilder) addBackendTLS() {
	for i := range b.port.Hosts {
		host := &b.port.Hosts[i]
		policy := b.encrypted[host.Host]
		if policy == nil {
			continue
		}
		if host.BackendTLS = backendTLS(b.view, policy); host.HTTPGateway != (entity.Name{}) {
			unusable := *host.BackendTLS
			unusable.Unusable, host.BackendTLS = true, &unusable
		}
	}
}
