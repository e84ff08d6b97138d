// Command authorizer is a server on Envoy's authorization API that evaluates a Rego policy with the engine of Open Policy Agent.
//
// Requests of sidecars flow in, in the input document of OPA's Envoy plugin as far as policies commonly use it. Decisions flow out:
// the policy is the package envoy.authz with the rule allow, as in the documentation of the plugin.
// It is a module of its own, because the engine has many dependencies.
package main
