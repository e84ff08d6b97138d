// Package crdchange compares two versions of a CustomResourceDefinition.
//
// Two definitions flow in. Changes that can make stored objects invalid, or that change their meaning, flow out.
package crdchange
