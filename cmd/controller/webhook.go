package main

import (
	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/internal/validate"
)

// validatePath is where OSM's webhook configurations expect the validating webhook.
const validatePath = "/validate"

// addWebhook serves the validation of policies and MeshConfigs.
func (p *program) addWebhook() error {
	handler, err := validate.NewHTTPHandler(p.log.WithName("validator"), status.Beside(p.manager.GetClient()), p.registry)
	if err != nil {
		return err
	}
	p.manager.GetWebhookServer().Register(validatePath, p.http.Measure(handler, validatePath))
	return nil
}
