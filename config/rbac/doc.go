// Package rbac contains the roles of the operator as YAML, and tests that they are exact. config/default installs them.
package rbac
