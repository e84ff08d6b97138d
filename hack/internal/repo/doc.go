// Package repo finds the checkout that a developer's tool is run in.
//
// In: a folder somewhere inside it. Out: its root, the folder of the go.mod that names the product.
package repo
