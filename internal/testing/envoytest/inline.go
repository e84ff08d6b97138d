package envoytest

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// filter inlines the discovered configuration of a filter, or the discovered routes of an HTTP filter.
func (s set) filter(f *listenerv3.Filter) error {
	if f.GetConfigDiscovery() != nil {
		extension, err := find[*corev3.TypedExtensionConfig](s, envoy.ExtensionType, f.GetName())
		if err != nil {
			return err
		}
		f.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: extension.GetTypedConfig()}
		return nil
	}
	if !isHCM(f.GetTypedConfig()) {
		return nil
	}
	return rewrite(f.GetTypedConfig(), func(hcm *hcmv3.HttpConnectionManager) error {
		if hcm.GetRds() == nil {
			return nil
		}
		routes, err := find[*routev3.RouteConfiguration](s, envoy.RouteType, hcm.GetRds().GetRouteConfigName())
		if err != nil {
			return err
		}
		hcm.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes}
		return nil
	})
}

// tls inlines certificates and trust.
func (s set) tls(c *tlsv3.CommonTlsContext) error {
	for _, config := range c.GetTlsCertificateSdsSecretConfigs() {
		cert, err := find[*tlsv3.Secret](s, envoy.SecretType, config.GetName())
		if err != nil {
			return err
		}
		c.TlsCertificates = append(c.TlsCertificates, cert.GetTlsCertificate())
	}
	c.TlsCertificateSdsSecretConfigs = nil
	combined := c.GetCombinedValidationContext()
	config := c.GetValidationContextSdsSecretConfig()
	if combined != nil {
		config = combined.GetValidationContextSdsSecretConfig()
	}
	if config == nil {
		return nil
	}
	trust, err := find[*tlsv3.Secret](s, envoy.SecretType, config.GetName())
	if err != nil {
		return err
	}
	context := &tlsv3.CertificateValidationContext{}
	if combined != nil {
		proto.Merge(context, combined.GetDefaultValidationContext())
	}
	proto.Merge(context, trust.GetValidationContext())
	c.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: context}
	return nil
}
