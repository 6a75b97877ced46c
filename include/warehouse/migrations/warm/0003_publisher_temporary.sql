-- The books are copied through temporary tables, so that readers see them change in one step.
grant temporary on database warm to publisher;
