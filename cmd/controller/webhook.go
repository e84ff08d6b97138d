package main

import (
	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/internal/validate"
)

// validatePath is the path of the validating webhook in OSM's webhook configurations.
const validatePath = "/validate"

// addWebhook adds the validating webhook for policies and MeshConfigs.
func (p *program) addWebhook() error {
	handler, err := validate.NewHTTPHandler(p.log.WithName("validator"), status.FindConflicts(p.manager.GetClient()), p.registry)
	if err != nil {
		return err
	}
	p.manager.GetWebhookServer().Register(validatePath, p.http.Measure(handler, validatePath))
	return nil
}
