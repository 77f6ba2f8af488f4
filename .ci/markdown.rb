# The rules for Markdown, for mdl. Tables and code are as wide as they have to be.
all
rule 'MD007', indent: 2
rule 'MD010', ignore_code_blocks: true
rule 'MD013', line_length: 120, ignore_code_blocks: true, tables: false
rule 'MD024', allow_different_nesting: true
rule 'MD029', style: 'ordered'
