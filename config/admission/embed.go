package admission

import "embed"

// Policies holds every ValidatingAdmissionPolicy with its binding, one YAML document a file.
//
//go:embed *_policy.yaml *_binding.yaml
var Policies embed.FS
