package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
	"github.com/kloros/telegraf-chembus/plugins/common/statefile"
	output "github.com/kloros/telegraf-chembus/plugins/outputs/chembus"
	"github.com/kloros/telegraf-chembus/plugins/processors/liveness"
)

// stateOf returns the place of a plugin's state file, and whether it is given rather than the default; false if the
// plugin has none.
func stateOf(plugin telegraf.PluginDescriber) (path string, given, ok bool) {
	switch p := plugin.(type) {
	case *liveness.Liveness:
		path, given = statefile.Place(p.StateFile, liveness.StateName)
	case *output.ChemBus:
		path, given = statefile.Place(p.StateFile, output.StateName)
	default:
		return "", false, false
	}
	return path, given, true
}

// conflictWithState compares the state files of the output and of the processor.
func conflictWithState(o *output.ChemBus, l *liveness.Liveness) error {
	path, _, _ := stateOf(o)
	other, _, _ := stateOf(l)
	if !sameFile(path, other) {
		return nil
	}
	return &option.Error{
		Name:    "state_file",
		Problem: fmt.Sprintf("%q is also the state_file of [[processors.liveness]]", path),
		Allowed: "use a file for each plugin",
	}
}

// sameFile reports whether two paths are of one file, which need not exist.
func sameFile(a, b string) bool {
	return resolved(a) == resolved(b)
}

// resolved follows the symbolic links in a path as far as it exists.
func resolved(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(folder, filepath.Base(path))
	}
	return filepath.Clean(path)
}

// checkStateFolder returns an error if the folder of a plugin's state file does not exist: then the plugin does not
// start. Whether the plugin may write there only its own user can tell.
func checkStateFolder(plugin telegraf.PluginDescriber) error {
	path, given, ok := stateOf(plugin)
	if !ok || !given {
		return nil
	}
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err == nil && info.IsDir() || os.IsPermission(err) {
		return nil
	}
	return &option.Error{
		Name:    "state_file",
		Problem: fmt.Sprintf("%q is in a folder that does not exist", path),
		Allowed: fmt.Sprintf("create %q for the user that runs Telegraf, or name a file in another folder", folder),
	}
}
