package envoy

import (
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/scope"
)

// nobody is a name that no certificate of the mesh can carry. Envoy takes an empty list of names for "any name".
const nobody = "nobody.invalid"

// ServiceCertSecret is the certificate of a workload with its intermediates, and its private key, both PEM.
func ServiceCertSecret(sa identity.ServiceAccount, chainPEM, keyPEM []byte) Resource {
	return secret(&tlsv3.Secret{
		Name: ServiceCertName(sa),
		Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: inlineBytes(chainPEM),
			PrivateKey:       inlineBytes(keyPEM),
		}},
	})
}

// TrustSecrets are the validation contexts of a scope: one for all its clients, without names because RBAC judges them by
// name, and one for each Service it may call, with exactly the identities behind it. They are sorted by name.
func TrustSecrets(s *scope.Scope, rootPEM []byte) []Resource {
	servers := map[catalog.Name][]identity.ServiceAccount{}
	for _, c := range s.Clusters {
		servers[c.Service] = append(servers[c.Service], c.Identities...)
	}
	secrets := []*tlsv3.Secret{trustSecret(InboundTrustName(s.Key.Identity), rootPEM, nil)}
	for service, identities := range servers {
		slices.SortFunc(identities, identity.ServiceAccount.Compare)
		principals := make([]string, 0, len(identities))
		for _, sa := range slices.Compact(identities) {
			principals = append(principals, sa.Principal(s.TrustDomain))
		}
		if len(principals) == 0 {
			principals = []string{nobody}
		}
		secrets = append(secrets, trustSecret(OutboundTrustName(service), rootPEM, principals))
	}
	return newResources(SecretType, (*tlsv3.Secret).GetName, secrets)
}

func trustSecret(name string, rootPEM []byte, principals []string) *tlsv3.Secret {
	var sans []*tlsv3.SubjectAltNameMatcher
	for _, p := range principals {
		sans = append(sans, &tlsv3.SubjectAltNameMatcher{
			SanType: tlsv3.SubjectAltNameMatcher_DNS,
			Matcher: exactly(p),
		})
	}
	return &tlsv3.Secret{
		Name: name,
		Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa:                 inlineBytes(rootPEM),
			MatchTypedSubjectAltNames: sans,
		}},
	}
}

func secret(s *tlsv3.Secret) Resource {
	return Resource{TypeURL: SecretType, Name: s.GetName(), Message: s}
}

func inlineBytes(b []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: b}}
}

func exactly(value string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: value}}
}
