// Package admission embeds the ValidatingAdmissionPolicies of the mesh. The API server evaluates them, so they apply while no part of the
// mesh runs.
//
// The YAML files of this folder flow in. The same bytes flow out, for programs and tests that install them. config/default installs them
// for users.
package admission
