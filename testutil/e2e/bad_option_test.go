package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kloros/telegraf-chembus/testutil/telegraf"
)

// TestBadOptionsDoNotFloodTheLog runs a Telegraf with options that no plugin can start with, first those of the file, then
// a folder that cannot be used. Each plugin says so once, and what else goes through processor and output is not lost.
func TestBadOptionsDoNotFloodTheLog(t *testing.T) {
	for name, options := range map[string]string{
		"bad options":    "[[inputs.chembus]]\nprobe = 1\n[[processors.liveness]]\nthreshold = false\n[[outputs.chembus]]\nintensity = 1\n",
		"missing folder": "[[inputs.chembus]]\nprobe = 1\n[[processors.liveness]]\nstate_file = \"/no/a\"\n[[outputs.chembus]]\nstate_file = \"/no/b\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			binary := telegraf.Binary(t, root)
			dir := t.TempDir()
			metrics := filepath.Join(dir, "metrics")
			// All metrics go through, and a process that exits is started again at once.
			dropIn, err := os.ReadFile(filepath.Join(root, "sample.conf"))
			require.NoError(t, err)
			changed := regexp.MustCompile(`(?m)^  namepass = .*\n`).ReplaceAllString(string(dropIn), "")
			changed = strings.ReplaceAll(changed, `restart_delay = "1s"`, `restart_delay = "0s"`)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "drop-in.conf"), []byte(changed), 0o600))
			tg, err := telegraf.Start(telegraf.Config{
				Binary: binary, Plugins: plugins, DropIn: filepath.Join(dir, "drop-in.conf"), Options: options, Dir: dir,
				Agent: "[agent]\n  interval = \"500ms\"\n  flush_interval = \"500ms\"\n[[inputs.mem]]\n" +
					"[[outputs.file]]\n  files = [\"" + metrics + "\"]\n",
			})
			require.NoError(t, err)
			defer func() {
				_ = tg.Stop()
				if t.Failed() {
					t.Logf("Telegraf's log:\n%s", tg.Output())
				}
			}()
			require.Eventually(t, func() bool {
				written, _ := os.ReadFile(metrics)
				return strings.Count(string(written), "\nmem,") >= 20
			}, limit, poll, "other metrics pass the processor")
			log := tg.Output()
			require.Equal(t, 3, strings.Count(log, "Z E! "), "each plugin says it once: %s", log)
			for _, consequence := range []string{"Nothing is received from the bus", "no component is judged", "No gap is published"} {
				require.Equal(t, 1, strings.Count(log, consequence), log)
			}
			require.Less(t, strings.Count(log, "execd"), 20, log)

			stopped := time.Now()
			require.NoError(t, tg.Stop())
			require.Less(t, time.Since(stopped), limit)
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			// What the input says is lost if Telegraf stops it before it has started.
			for output := []byte(nil); !strings.Contains(string(output), "Nothing is received from the bus"); {
				test := exec.CommandContext(ctx, binary, "--config", filepath.Join(dir, "telegraf.conf"),
					"--config-directory", filepath.Join(dir, "telegraf.d"), "--test")
				test.Env = append(os.Environ(), "TELEGRAF_CHEMBUS_CONFIG="+filepath.Join(dir, "chembus.conf"),
					"STATE_DIRECTORY="+dir, "PATH="+plugins+":"+os.Getenv("PATH"))
				output, err = test.CombinedOutput()
				require.NoError(t, ctx.Err(), "telegraf --test ends and says it: %s", output)
				require.NoError(t, err)
			}
		})
	}
}
