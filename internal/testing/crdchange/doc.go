// Package crdchange compares two versions of a CustomResourceDefinition.
//
// Two definitions flow in. Changes that can make stored objects invalid, or that change their meaning, flow out: those that the Operator
// Lifecycle Manager v1 rejects in an upgrade.
package crdchange
