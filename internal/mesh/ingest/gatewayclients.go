package ingest

import (
	"fmt"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// clientValidation returns what a Gateway demands of the clients of a listener; nil if it demands nothing. Only listeners for HTTPS have a demand.
func clientValidation(namespace string, spec *gatewayv1.GatewaySpec, l *gatewayv1.Listener) *catalog.ClientValidation {
	if spec.TLS == nil || spec.TLS.Frontend == nil || l.Protocol != gatewayv1.HTTPSProtocolType {
		return nil
	}
	validation := spec.TLS.Frontend.Default.Validation
	for _, port := range spec.TLS.Frontend.PerPort {
		if port.Port == l.Port {
			validation = port.TLS.Validation
		}
	}
	if validation == nil {
		return nil
	}
	clients := &catalog.ClientValidation{AllowInvalid: validation.Mode == gatewayv1.AllowInsecureFallback}
	for _, ref := range validation.CACertificateRefs {
		if !isConfigMap(ref.Group, ref.Kind) {
			clients.OtherAuthorities = fmt.Sprintf("%s %s", ref.Kind, ref.Name)
			continue
		}
		clients.Authorities = append(clients.Authorities, entity.Name{
			Namespace: string(ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace))),
			Name:      string(ref.Name),
		})
	}
	return clients
}

// isConfigMap reports whether a reference to authorities is to a ConfigMap.
func isConfigMap(group gatewayv1.Group, kind gatewayv1.Kind) bool {
	return group == "" && kind == "ConfigMap"
}

// GatewayAuthorities reads the content of a ConfigMap with authorities of clients. An unusable one is an entry with a problem.
func GatewayAuthorities(name entity.Name, data map[string]string) *catalog.GatewayAuthorities {
	certificates, problem := readAuthorities(name, data, "clients")
	return &catalog.GatewayAuthorities{Name: name, PEM: certificates, Problem: problem}
}

// readAuthorities returns the authorities in a ConfigMap as PEM, or why they cannot be used. The subjects are those whose certificates they issue.
func readAuthorities(name entity.Name, data map[string]string, subjects string) (list []byte, problem string) {
	text := data[authoritiesKey]
	if text == "" {
		return nil, fmt.Sprintf("The ConfigMap %s lacks %s: add the certificates of the authorities that issue those of %s.", name, authoritiesKey, subjects)
	}
	// Envoy uses none of the authorities if it cannot read one of them.
	certificates, err := parseCertificates([]byte(text), true)
	if err != nil {
		return nil, fmt.Sprintf("The key %s of the ConfigMap %s cannot be used: %.300v.", authoritiesKey, name, err)
	}
	if list = encodeCertificates(certificates); len(list) > catalog.MaxAuthoritiesBytes {
		return nil, fmt.Sprintf("The certificates of the ConfigMap %s have more than %d bytes: use fewer authorities.", name, catalog.MaxAuthoritiesBytes)
	}
	return list, ""
}
